"""gpt-oss on one CUDA card: Triton kernels, CUDA graphs and a paged key-value cache."""
