"""The Triton kernels, one concept a file. Under TRITON_INTERPRET=1 they run on the CPU too."""
