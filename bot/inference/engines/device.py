"""Finding the device that a model runs on, and saying in one line why it can't."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bot.inference.engines import EngineError


def find_device(name: str) -> torch.device:
    """The device for "auto", "cpu", "cuda" or "cuda:<index>". Raises EngineError."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise EngineError(f"unknown device {name!r}: allowed are auto, cpu, cuda, cuda:<index>")
    if device.type == "cpu":
        return device
    if not torch.cuda.is_available():
        raise EngineError(
            f"device {name} can't be used: torch {torch.__version__} sees no CUDA GPU;"
            " install a CUDA build of torch and the driver, or set inference.device: cpu"
        )
    count = torch.cuda.device_count()
    if (index := device.index or 0) >= count:
        raise EngineError(
            f"device {name} does not exist: this machine has cuda:0 to cuda:{count - 1}"
        )
    return torch.device("cuda", index)


def card_memory(device: torch.device) -> tuple[int, int] | None:
    """Bytes of a card's memory that are in use, by whatever, and all of them; None on the CPU."""
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    return total - free, total


@contextmanager
def memory_errors_explained(doing: str, device: torch.device) -> Iterator[None]:
    """Raise EngineError in place of torch's out-of-memory errors."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        free, total = torch.cuda.mem_get_info(device)
        raise EngineError(
            f"{doing}: the GPU {device} is out of memory ({free / 2**30:.1f} of"
            f" {total / 2**30:.1f} GiB free); free it, or set a smaller inference.context_tokens or"
            " inference.model"
        ) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):  # torch has no exception of its own for this
            raise
        raise EngineError(
            f"{doing}: this machine is out of memory; set a smaller inference.context_tokens or"
            " inference.model"
        ) from error
