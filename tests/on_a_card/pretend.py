"""An older card on a newer one: its PTX, which the driver compiles for the card that is there."""

import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from triton.backends.compiler import GPUTarget
from triton.backends.nvidia.compiler import CUDABackend
from triton.backends.nvidia.driver import CudaDriver


def pretend(capability: tuple[int, int]) -> None:
    """Let Triton and the engine believe that the card has `capability`, before the first kernel.

    Newer capabilities than the card's own can't be run so. Kernels are kept apart from the card's.
    """
    major, minor = capability

    def ptx(self: Any, source: str, *others: Any) -> bytes:
        return source.encode() + b"\0"

    folder = Path(tempfile.gettempdir(), f"triton-as-{major}.{minor}")
    os.environ["TRITON_CACHE_DIR"] = str(folder)
    CudaDriver.get_current_target = lambda self: GPUTarget("cuda", 10 * major + minor, 32)
    CUDABackend.make_cubin = ptx
    torch.cuda.get_device_capability = lambda device=None: capability
    torch.cuda.get_device_name = lambda device=None: f"a card of {major}.{minor}"
