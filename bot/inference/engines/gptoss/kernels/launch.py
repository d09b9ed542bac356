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

# Triton 3.9 warns that it will no longer be so by default.
os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")
INTERPRETED = tl.constexpr(os.environ.get("TRITON_INTERPRET") == "1")


@triton.jit
def wait_for_inputs():
    """Wait for the end of the kernels before, and let the next one start."""
    if not INTERPRETED:  # noqa: SIM102 (it can't ask for the GPU)
        if cuda_capability_geq(9, 0):
            tl.extra.cuda.gdc_wait()
            tl.extra.cuda.gdc_launch_dependents()


@functools.cache
def capability() -> tuple[int, int]:
    """The card's; in the interpreter, that of the card that block sizes were measured on."""
    if INTERPRETED.value or not torch.cuda.is_available():
        return (9, 0)
    return torch.cuda.get_device_capability()


def early() -> dict[str, bool]:
    """The option to launch a kernel with, where the GPU can do it."""
    if INTERPRETED.value:
        return {}
    return {"launch_pdl": capability() >= (9, 0)}


def has_warp_groups() -> bool:
    """Whether four warps multiply together, asynchronously (`wgmma`)."""
    return capability()[0] == 9


def on_tensor_cores() -> bool:
    """Whether `tl.dot` goes there. Triton has it multiply like all else on cards before 8.0.

    Then each thread has all that it multiplies in registers, so that tiles must be small.
    """
    return capability() >= (8, 0)
