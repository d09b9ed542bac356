"""Engines: what turns token ids into the next token ids on one device."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.inference.engines.base import Engine

if TYPE_CHECKING:
    import torch

# For GNU OpenMP, read when torch is first imported: how long a thread waits busily for the others.
# Its default is about 16 ms. A decode step meets its other threads 150 times, so where another
# program takes a core, every meeting would burn the time in which the missing thread could run.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")


PACKED_GRAPH = "decoder.onnx"
"""In a model's folder: what the packed engine runs."""


class EngineError(Exception):
    """An engine that can't be had or go on. One line: what is wrong and what to do."""


def load_engine(
    folder: Path,
    *,
    device: str = "auto",
    engine: str = "auto",
    slots: int = 1,
    context: int | None = None,
    weights: str = "int8",
    progress: Callable[[str, float], None],
) -> Engine:
    """The best engine for the model in `folder` on `device`: "auto", "cpu", "cuda" or "cuda:1".

    `engine` is "auto", or "gptoss" or "transformers" for that one or an error. `context` limits the
    tokens of prompt and answer below what the model allows. `weights`, which only gptoss looks at,
    is "exact", or "int8": attention and head in eight bits. `progress` is called with
    the stage, "loading" or "warming up", and its share done, 0 to 1. Raises EngineError.
    """
    import torch  # only where an engine is loaded: it takes a second, and the bot has none

    from bot.inference.engines.device import find_device, memory_errors_explained

    torch_device = find_device(device)
    progress("loading", 0.0)
    try:
        with memory_errors_explained(f"loading {folder.name}", torch_device):
            if _picks_gptoss(folder, torch_device, engine):
                from bot.inference.engines.gptoss.from_checkpoint import load

                return load(folder, torch_device, slots, context, progress, int8=weights == "int8")
            return _load_causal(folder, torch_device, engine, slots, context, progress)
    except torch.AcceleratorError as error:  # a GPU too old for this torch, say
        first_line = str(error).partition("\n")[0]
        raise EngineError(f"{device} can't run {folder.name}: {first_line}") from error


def _picks_gptoss(folder: Path, device: "torch.device", engine: str) -> bool:
    if engine == "transformers":
        return False
    from bot.inference.engines.gptoss.requirements import obstacle

    problem = obstacle(folder, device, engine)
    if problem and engine == "gptoss":
        raise EngineError(f"inference.engine is gptoss, but {problem}; set inference.engine: auto")
    return problem is None


def _load_causal(
    folder: Path,
    device: "torch.device",
    engine: str,
    slots: int,
    context: int | None,
    progress: Callable[[str, float], None],
) -> Engine:
    from bot.inference.engines.causal import CausalEngine, CausalModel

    model: CausalModel[Any]
    if engine == "auto" and device.type == "cpu" and (folder / PACKED_GRAPH).is_file():
        from bot.inference.engines.packed import PackedLlama

        model = PackedLlama(folder)
    else:
        from bot.inference.engines.transformers import TransformersModel

        model = TransformersModel(folder, device)
    loaded = CausalEngine(model, slots, context)
    progress("warming up", 0.0)
    loaded.warm_up()
    return loaded
