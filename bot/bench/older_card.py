"""An older card's kernels on a newer card: `--as 8.0`.

Triton compiles them for the older card, and the driver compiles its PTX for the card that is there.
So they can be tested, and their block sizes compared. How fast the older card is, this doesn't say.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from bot.inference.engines import EngineError
from bot.inference.engines.device import find_device

CAPABILITIES = ("7.5", "8.0", "8.6", "8.9")


def run_as(capability: str, device_name: str = "auto") -> None:
    """Let Triton and the engine believe that the card has `capability`, one of CAPABILITIES.

    To be called before the first kernel, once. Kernels are kept apart from the card's own. Raises
    EngineError without a CUDA card, and for a `capability` above the card's own.
    """
    if capability not in CAPABILITIES:
        raise EngineError(f"--as {capability}: allowed are {', '.join(CAPABILITIES)}")
    device = find_device(device_name)
    if device.type != "cuda":
        raise EngineError(f"--as {capability} needs a CUDA card, and the device is {device.type}")
    major, minor = map(int, capability.split("."))
    own, name = torch.cuda.get_device_capability(device), torch.cuda.get_device_name(device)
    if (major, minor) > own:
        raise EngineError(
            f"--as {capability}: {name} has compute capability {own[0]}.{own[1]}, and kernels of a"
            " newer one don't run there"
        )
    from triton.backends.compiler import GPUTarget
    from triton.backends.nvidia.compiler import CUDABackend
    from triton.backends.nvidia.driver import CudaDriver

    def ptx(self: Any, source: str, *others: Any) -> bytes:
        return source.encode() + b"\0"

    folder = Path(tempfile.gettempdir(), f"triton-as-{capability}")
    os.environ["TRITON_CACHE_DIR"] = str(folder)
    CudaDriver.get_current_target = lambda self: GPUTarget("cuda", 10 * major + minor, 32)
    CUDABackend.make_cubin = ptx
    torch.cuda.get_device_capability = lambda device=None: (major, minor)
    torch.cuda.get_device_name = lambda device=None: f"{name} as {capability}"
