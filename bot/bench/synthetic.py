"""The gpt-oss engine at true size, without the true weights.

A checkpoint of random weights is written to a temporary folder and measured as `bot serve` would
run it, beside the least time that the card's memory allows: the bytes a decode step must read over
the bandwidth of a large copy on the same card.
"""

import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
from transformers import GptOssConfig

from bot.bench.driver import STEPS, Driver
from bot.bench.floor import bandwidth, step_bytes
from bot.bench.result import Figure, Result
from bot.bench.served import served_speed
from bot.bench.shapes import SHAPES
from bot.inference.engines import EngineError, load_engine
from bot.inference.engines.device import find_device
from bot.inference.engines.gptoss.engine import GptOssEngine
from bot.inference.engines.gptoss.synthetic import write_checkpoint, write_tokenizer

DECODES = (
    (1, 2048),
    (1, 8192),
    (1, 32_768),
    (1, 120_000),
    (4, 2048),
    (8, 2048),
    (16, 2048),
    (32, 2048),
)
"""Batch sizes, and the tokens before each sequence's first decode step."""
PROMPTS = (128, 2048, 8192, 32_768, 120_000)
MANY = (32, 2048)
"""How many prompts are read at once, and their tokens."""
PROFILED = 8192
"""Tokens before a step, up to which its kernels are listed."""


def measure(shape: str, device_name: str, on_stage: Callable[[str], None]) -> Result:
    """Measure the gpt-oss engine on a random checkpoint of `shape`, a key of SHAPES.

    Raises EngineError, where this machine can't run it too.
    """
    device = find_device(device_name)
    if device.type != "cuda":
        raise EngineError(f"this bench needs a CUDA card, and the device is {device.type}")
    layers, experts = SHAPES[shape]
    config = GptOssConfig(num_hidden_layers=layers, num_local_experts=experts)
    slots = max(batch for batch, _ in DECODES)
    bytes_a_second = bandwidth(device)
    result = Result(
        shape,
        torch.cuda.get_device_name(device),
        "limit",
        {"torch": torch.__version__, "Triton": version("triton"), "weights": "random"},
        remark=(
            f"The limit is the bytes of a step at {bytes_a_second / 1e12:.2f} TB/s, the bandwidth"
            f" of a large copy here. Memory has a cache for {slots} sequences, or for what fits."
        ),
    )
    with tempfile.TemporaryDirectory(prefix="gptoss-bench-") as name:
        folder = Path(name)
        on_stage("writing random weights")
        write_checkpoint(folder, config, device=device)
        for weights in ("exact", "int8"):
            on_stage(f"loading, {weights}")
            started = time.perf_counter()
            engine = load_engine(
                folder,
                device=str(device),
                engine="gptoss",
                slots=slots,
                context=max(context for _, context in DECODES) + STEPS + 64,
                weights=weights,
                progress=lambda stage, share: None,
            )
            assert isinstance(engine, GptOssEngine)
            loading = time.perf_counter() - started
            result.figures.append(Figure(f"loading and warm-up, {weights}", "s", loading))
            memory = torch.cuda.memory_reserved(device)
            result.figures.append(Figure(f"memory, {weights}", "bytes", memory))
            _measure_engine(engine, config, weights, bytes_a_second, result, on_stage)
            engine.close()
        by_itself = result[f"{_decode_label(*DECODES[0])}, int8"].value
        assert by_itself is not None
        on_stage("transformers")
        result.figures.append(_transformers(folder, str(device), config.vocab_size, by_itself))
        on_stage("bot serve")
        write_tokenizer(folder, config.vocab_size)
        served = served_speed(folder, str(device), 2048, 4 * STEPS)
    share = f"{served / by_itself:.0%} of the engine by itself"
    result.figures.append(Figure("through HTTP, int8", "tokens/s", served, note=share))
    return result


def _decode_label(batch: int, context: int) -> str:
    return f"decode, batch {batch} after {context} tokens"


def _measure_engine(
    engine: GptOssEngine,
    config: GptOssConfig,
    weights: str,
    bytes_a_second: float,
    result: Result,
    on_stage: Callable[[str], None],
) -> None:
    """Add the figures of `engine` to `result`, as far as its cache has room for them."""

    def add(name: str, unit: str, value: float, limit: float | None = None) -> None:
        result.figures.append(Figure(f"{name}, {weights}", unit, value, limit))

    def fits(sequences: int, tokens: int) -> bool:
        on_stage(f"{sequences} of {tokens} tokens, {weights}")
        each = tokens + STEPS + 64
        return each <= engine.context and sequences * each <= engine.room

    driver = Driver(engine, config.vocab_size)
    for batch, context in DECODES:
        if fits(batch, context):
            label = _decode_label(batch, context)
            limit = batch * bytes_a_second / step_bytes(config, batch, context, weights)
            add(label, "tokens/s", driver.decode(batch, context), limit)
            if context <= PROFILED:
                result.kernels[f"{label}, {weights}"] = driver.kernels(batch, context)
    for length in PROMPTS:
        if fits(1, length):
            cold, second = driver.first_tokens(length)
            add(f"first token, {length} tokens", "s", cold)
            add(f"first token, second turn after {length}", "s", second)
    if fits(*MANY):
        prompts, length = MANY
        seconds = driver.all_first_tokens(prompts, length)
        add(f"{prompts} prompts of {length} tokens, all read", "s", seconds)
    add("stop to next token", "s", driver.stop())


def _transformers(folder: Path, device: str, vocabulary: int, ours: float) -> Figure:
    """Decode speed the way that gpt-oss's cookbook shows: batch 1 after 2048 tokens."""
    name = "transformers, the hub's MXFP4 kernels"
    try:
        engine = load_engine(
            folder, device=device, engine="transformers", progress=lambda stage, share: None
        )
    except EngineError as error:
        return Figure(name, "tokens/s", None, note=str(error))
    speed = Driver(engine, vocabulary).decode(1, 2048)
    engine.close()
    return Figure(name, "tokens/s", speed, note=f"1/{ours / speed:.0f} of ours")
