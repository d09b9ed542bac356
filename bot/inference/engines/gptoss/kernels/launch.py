"""Kernels that start before the one ahead of them has ended, and load their weights meanwhile.

CUDA calls it programmatic dependent launch (PTX ISA, griddepcontrol). Every kernel
launched so must wait before it touches anything that another one writes or reads. As the next
one is let in after that, all kernels but the last one have ended when a kernel starts.
"""

import functools
import os

import torch
import triton
import triton.language as tl
from triton.language.target_info import cuda_capability_geq

INTERPRETED = tl.constexpr(os.environ.get("TRITON_INTERPRET") == "1")


@triton.jit
def wait_for_inputs():
    """Wait for the end of the kernels before, and let the next one start."""
    if not INTERPRETED:  # noqa: SIM102 (it can't ask for the GPU)
        if cuda_capability_geq(9, 0):
            tl.extra.cuda.gdc_wait()
            tl.extra.cuda.gdc_launch_dependents()


@functools.cache
def early() -> dict[str, bool]:
    """The option to launch a kernel with, where the GPU can do it."""
    if INTERPRETED.value or not torch.cuda.is_available():
        return {}
    return {"launch_pdl": torch.cuda.get_device_capability() >= (9, 0)}
