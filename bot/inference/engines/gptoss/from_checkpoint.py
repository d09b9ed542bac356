"""From a checkpoint's folder to an engine that is warm."""

from collections.abc import Callable
from pathlib import Path

import torch

from bot.inference.engines import EngineError
from bot.inference.engines.gptoss.config import read_config
from bot.inference.engines.gptoss.engine import GptOssEngine
from bot.inference.engines.gptoss.kernels.launch import on_tensor_cores
from bot.inference.engines.gptoss.memory import WORKSPACE, plan
from bot.inference.engines.gptoss.model import Model
from bot.inference.engines.gptoss.weights import load_weights

LEAST_CONTEXT = 1024


def load(
    folder: Path,
    device: torch.device,
    slots: int,
    context: int | None,
    progress: Callable[[str, float], None],
    *,
    int8: bool,
) -> GptOssEngine:
    """The engine for the checkpoint in `folder` on a CUDA `device`; see engines.load_engine.

    `context` is what is wanted; it has what fits. Raises EngineError.
    """
    torch.cuda.set_device(device)  # Triton launches on the current one
    dtype = torch.bfloat16
    config = read_config(folder)
    check_room(folder, device)
    int8 = int8 and on_tensor_cores()
    weights = load_weights(
        folder, config, device, dtype, lambda share: progress("loading", share), int8=int8
    )
    torch.cuda.empty_cache()  # what loading took beside the weights
    wanted = min(context or config.max_position_embeddings, config.max_position_embeddings)
    free, _ = torch.cuda.mem_get_info(device)
    fitting = plan(config, dtype, free, slots, wanted, int8=int8)
    if fitting.context < min(wanted, LEAST_CONTEXT):
        raise EngineError(
            f"{folder.name} leaves {free / 2**30:.1f} GiB of {device}, too little for a context of"
            f" {LEAST_CONTEXT} tokens; free the card, or use one with more memory"
        )
    model = Model(config, weights, fitting.context, fitting.pages)
    return GptOssEngine(
        model, slots, chunk=fitting.chunk, progress=lambda share: progress("warming up", share)
    )


def check_room(folder: Path, device: torch.device) -> None:
    """Raise EngineError where the card can't even hold the weights."""
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    _, total = torch.cuda.mem_get_info(device)
    if total < size + WORKSPACE:
        raise EngineError(
            f"{folder.name} has {size / 2**30:.1f} GiB of weights, and {device} has"
            f" {total / 2**30:.1f}: set inference.url to a server that shares a model between card"
            " and memory (llama.cpp's llama-server, Ollama)"
        )
