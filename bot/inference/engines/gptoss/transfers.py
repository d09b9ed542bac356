"""Copies between the host and the device that neither waits for."""

from collections.abc import Sequence as Values

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def upload(values: Values[int] | NDArray[np.int32], target: Tensor) -> None:
    """Copy `values` to `target`, of the same shape, when what is queued before is done."""
    source = torch.as_tensor(values, dtype=target.dtype)
    if target.is_cuda:
        source = source.pin_memory()  # torch keeps it until the copy is done
    target.copy_(source, non_blocking=True)


class Download:
    """A copy of `source` on its way to the host."""

    def __init__(self, source: Tensor) -> None:
        self._copy = torch.empty_like(source, device="cpu", pin_memory=source.is_cuda)
        self._copy.copy_(source, non_blocking=True)
        self._done: torch.cuda.Event | None = None
        if source.is_cuda:
            self._done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._done.record()

    def wait(self) -> list[int]:
        """The values, once they are there."""
        if self._done:
            self._done.synchronize()
        values: list[int] = self._copy.tolist()
        return values
