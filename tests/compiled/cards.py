"""Cards by compute capability, and how Triton and the engine are told that one is there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

os.environ["TRITON_INTERPRET"] = "0"  # read when the kernels are imported

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime.driver import driver

from bot.inference.engines.gptoss.kernels.launch import capability as known_capability

Capability = tuple[int, int]

SHARED_KIB = {
    (7, 5): 64,
    (8, 0): 163,
    (8, 6): 99,
    (8, 9): 99,
    (9, 0): 227,
    (10, 0): 227,
    (12, 0): 99,
    (12, 1): 99,
}
"""Of a program: CUDA C++ Programming Guide, technical specifications per compute capability."""
NAMES = {
    (7, 5): "T4, RTX 20",
    (8, 0): "A100",
    (8, 6): "RTX 30, A10",
    (8, 9): "RTX 40, L4, L40S",
    (9, 0): "H100, H200",
    (10, 0): "B200",
    (12, 0): "RTX 50",
    (12, 1): "DGX Spark",
}


class _Driver:
    """A driver for a card that is not there: enough of Triton's to compile for it."""

    def __init__(self, capability: Capability) -> None:
        major, minor = capability
        self._number = 10 * major + minor

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self._number, 32)

    def get_current_device(self) -> int:
        return self._number  # a device for each target: kernels keep what they know by device

    def get_current_stream(self, device: int) -> int:
        return 0


@contextmanager
def card(capability: Capability) -> Iterator[None]:
    """Let Triton and the engine believe that there is a card of `capability`."""
    known_capability.cache_clear()
    driver.set_active(_Driver(capability))
    with (
        patch.object(torch.cuda, "is_available", lambda: True),
        patch.object(torch.cuda, "get_device_capability", lambda device=None: capability),
        patch.object(torch.cuda, "get_device_name", lambda device=None: NAMES[capability]),
    ):
        yield
    known_capability.cache_clear()
