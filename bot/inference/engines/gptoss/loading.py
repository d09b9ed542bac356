"""From a checkpoint's folder to an engine that is warm."""

from collections.abc import Callable
from pathlib import Path

import torch

from bot.inference.engines import EngineError
from bot.inference.engines.gptoss.config import Config, read_config
from bot.inference.engines.gptoss.engine import CHUNK, CHUNK_BESIDE, GptOssEngine
from bot.inference.engines.gptoss.kernels.launch import on_tensor_cores
from bot.inference.engines.gptoss.model import PAGE, Model
from bot.inference.engines.gptoss.weights import load_weights

WORKSPACE = 530 * 2**20
"""Bytes kept free for cuBLAS and the graphs."""
ROW = 120_000
"""Bytes kept free for the activations of each token of a chunk."""
SLOT = 2_500_000
"""Bytes kept free for the logits and masks of each slot."""
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

    The cache has room for a full context in each slot and one more to be reused, or for less if
    the card has less; then the context is what fits. Raises EngineError.
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
    pages_wanted = (slots + 1) * -(-wanted // PAGE) + 1
    beside = WORKSPACE + slots * SLOT + wanted * config.head_dim * 4  # cosines and sines
    if int8:  # twice: prompts have graphs, or are too long for them
        beside += 2 * dequantized_bytes(config, dtype)
    for chunk in (CHUNK, CHUNK // 2, CHUNK_BESIDE):  # the longest that costs no page
        room = free - beside - chunk * ROW
        pages = min(pages_wanted, max(0, room) // Model.page_bytes(config, dtype))
        if pages == pages_wanted:
            break
    fitting = min(wanted, (pages - 1) * PAGE)  # one page is for rows that fill up a batch
    if fitting < min(wanted, LEAST_CONTEXT):
        raise EngineError(
            f"{folder.name} leaves {free / 2**30:.1f} GiB of {device}, too little for a context of"
            f" {LEAST_CONTEXT} tokens; free the card, or use one with more memory"
        )
    model = Model(config, weights, fitting, pages)
    return GptOssEngine(
        model, slots, chunk=chunk, progress=lambda share: progress("warming up", share)
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


def dequantized_bytes(config: Config, dtype: torch.dtype) -> int:
    """What a layer's attention weights take as numbers of `dtype`."""
    heads = 2 * config.num_attention_heads + 2 * config.num_key_value_heads
    return heads * config.head_dim * config.hidden_size * dtype.itemsize
