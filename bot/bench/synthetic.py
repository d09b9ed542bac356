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
from bot.bench.older_card import run_as
from bot.bench.result import Figure, Result
from bot.bench.served import serve
from bot.bench.shapes import SHAPES
from bot.inference.engines import EngineError, load_engine
from bot.inference.engines.device import find_device
from bot.inference.engines.gptoss.engine import GptOssEngine
from bot.inference.engines.gptoss.kernels.launch import on_tensor_cores
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
LEFT_AT = 0.8
"""The share of a prompt that is read when nobody waits for it any more."""
PROFILED = 8192
"""Tokens before a step, up to which its kernels are listed."""


def measure(
    shape: str,
    device_name: str,
    on_stage: Callable[[str], None],
    *,
    weights: str | None = None,
    older_card: str | None = None,
) -> Result:
    """Measure the gpt-oss engine on a random checkpoint of `shape`, a key of SHAPES.

    `weights` is "exact" or "int8", or None for each of them that the card has kernels for. With
    `older_card`, see older_card.run_as, only the engine by itself is measured. Raises EngineError,
    where this machine can't run it too.
    """
    if older_card:
        run_as(older_card, device_name)
    device = find_device(device_name)
    if device.type != "cuda":
        raise EngineError(f"this bench needs a CUDA card, and the device is {device.type}")
    kinds = _kinds(weights)
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
        for kind in kinds:
            on_stage(f"loading, {kind}")
            torch.cuda.empty_cache()  # the engine plans with what it finds free
            started = time.perf_counter()
            engine = load_engine(
                folder,
                device=str(device),
                engine="gptoss",
                slots=slots,
                context=max(context for _, context in DECODES) + STEPS + 64,
                weights=kind,
                progress=lambda stage, share: None,
            )
            assert isinstance(engine, GptOssEngine)
            loading = time.perf_counter() - started
            result.figures.append(Figure(f"loading and warm-up, {kind}", "s", loading))
            memory = torch.cuda.memory_reserved(device)
            room = f"for {engine.context} tokens of one conversation, {engine.room} in all"
            result.figures.append(Figure(f"memory, {kind}", "bytes", memory, note=room))
            _measure_engine(engine, config, kind, bytes_a_second, result, on_stage)
            engine.close()
        if older_card is None:
            _measure_others(folder, str(device), config.vocab_size, kinds[-1], result, on_stage)
    return result


def _kinds(weights: str | None) -> tuple[str, ...]:
    kinds = ("exact", "int8") if on_tensor_cores() else ("exact",)
    if weights is None:
        return kinds
    if weights not in kinds:
        raise EngineError(f"this card has no kernels for {weights} weights, only for exact ones")
    return (weights,)


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
    """Add the figures of `engine` to `result`; those that its cache has no room for are named."""

    def add(name: str, unit: str, value: float, limit: float | None = None) -> None:
        result.figures.append(Figure(f"{name}, {weights}", unit, value, limit))

    def fits(name: str, unit: str, sequences: int, tokens: int) -> bool:
        name = f"{name}, {weights}"
        on_stage(name)
        needed = sequences * (tokens + STEPS + 64)
        room = engine.context if sequences == 1 else engine.room
        if needed > room:
            note = f"skipped: {needed} tokens don't fit, the card has room for {room}"
            result.figures.append(Figure(name, unit, None, note=note))
        return needed <= room

    driver = Driver(engine, config.vocab_size)
    for batch, context in DECODES:
        label = _decode_label(batch, context)
        if fits(label, "tokens/s", batch, context):
            limit = batch * bytes_a_second / step_bytes(config, batch, context, weights)
            add(label, "tokens/s", driver.decode(batch, context), limit)
            if context <= PROFILED:
                result.kernels[f"{label}, {weights}"] = driver.kernels(batch, context)
    for length in PROMPTS:
        label = f"first token, {length} tokens"
        if fits(label, "s", 1, length):
            cold, second = driver.first_tokens(length)
            add(label, "s", cold)
            add(f"first token, second turn after {length}", "s", second)
            left = driver.leave(length, LEFT_AT * cold)
            add(f"first token, after a prompt of {length} was left", "s", left)
    prompts, length = MANY
    label = f"{prompts} prompts of {length} tokens, all read"
    if fits(label, "s", prompts, length):
        add(label, "s", driver.all_first_tokens(prompts, length))
    add("stop to next token", "s", driver.stop())


def _measure_others(
    folder: Path,
    device: str,
    vocabulary: int,
    weights: str,
    result: Result,
    on_stage: Callable[[str], None],
) -> None:
    """Add what transformers and `bot serve` make of the checkpoint in `folder`."""
    by_itself = result[f"{_decode_label(*DECODES[0])}, {weights}"].value
    on_stage("transformers")
    result.figures.append(_transformers(folder, device, vocabulary, by_itself))
    on_stage("bot serve")
    write_tokenizer(folder, vocabulary)
    # The first one compiles what kernels its context and its slot need.
    _, served = (serve(folder, device, 2048, 4 * STEPS, weights) for _ in range(2))
    share = f"{served.speed / by_itself:.0%} of the engine by itself" if by_itself else ""
    through_http = Figure(f"through HTTP, {weights}", "tokens/s", served.speed, note=share)
    ready = Figure(f"bot serve, command to ready, {weights}", "s", served.start)
    result.figures.extend((through_http, ready))


def _transformers(folder: Path, device: str, vocabulary: int, ours: float | None) -> Figure:
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
    note = f"1/{ours / speed:.0f} of ours" if ours else ""
    return Figure(name, "tokens/s", speed, note=note)
