"""The gpt-oss engine at true size, measured as `bot serve` would run it."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import GptOssConfig

from bot.inference.engines import EngineError, load_engine
from bot.inference.engines.device import find_device
from bot.inference.engines.gptoss.synthetic import write_checkpoint, write_tokenizer
from bot.inference.speed import SHAPES
from bot.inference.speed.driver import STEPS, Driver
from bot.inference.speed.floor import bandwidth, step_bytes
from bot.inference.speed.result import Decode, Speed
from bot.inference.speed.served import served_speed

DECODES = ((1, 2048), (1, 8192), (4, 2048), (8, 2048), (32, 2048))
"""Batch sizes, and the tokens before each sequence's first decode step."""
PROMPTS = (128, 2048)


def measure(shape: str, device_name: str, on_stage: Callable[[str], None]) -> Speed:
    """Measure the gpt-oss engine on a random checkpoint of `shape`, a key of SHAPES.

    Raises EngineError, where this machine can't run it too.
    """
    device = find_device(device_name)
    if device.type != "cuda":
        raise EngineError(f"this bench needs a CUDA card, and the device is {device.type}")
    layers, experts = SHAPES[shape]
    config = GptOssConfig(num_hidden_layers=layers, num_local_experts=experts)
    slots = max(batch for batch, _ in DECODES)
    with tempfile.TemporaryDirectory(prefix="gptoss-bench-") as name:
        folder = Path(name)
        on_stage("writing random weights")
        write_checkpoint(folder, config, device=device)
        on_stage("loading")
        started = time.perf_counter()
        engine = load_engine(
            folder,
            device=str(device),
            engine="gptoss",
            slots=slots,
            context=max(context for _, context in DECODES) + STEPS + 64,
            progress=lambda stage, share: None,
        )
        loading = time.perf_counter() - started
        memory = torch.cuda.memory_reserved(device)
        on_stage("bandwidth")
        result = Speed(
            shape=shape,
            card=torch.cuda.get_device_name(device),
            torch=torch.__version__,
            triton=version("triton"),
            bandwidth=bandwidth(device),
            loading=loading,
            memory=memory,
        )
        bench = Driver(engine, config.vocab_size)
        for batch, context in DECODES:
            label = f"decode, batch {batch} after {context} tokens"
            on_stage(label)
            limit = batch * result.bandwidth / step_bytes(config, batch, context)
            result.decodes.append(Decode(batch, context, bench.decode(batch, context), limit))
            result.kernels[label] = bench.kernels(batch, context)
        for length in PROMPTS:
            on_stage(f"first token of {length}")
            cold, second = bench.first_tokens(length)
            result.first_tokens[f"{length} tokens"] = cold
            result.first_tokens[f"second turn after {length}"] = second
        on_stage("stopping")
        stop = bench.stop()
        engine.close()
        on_stage("transformers")
        plain, missing = _transformers_speed(folder, str(device), config.vocab_size)
        served = None
        if all(find_spec(module) for module in ("openai", "fastapi", "pydantic")):
            on_stage("bot serve")
            write_tokenizer(folder, config.vocab_size)
            served = served_speed(folder, str(device), 2048, 4 * STEPS)
    return replace(
        result,
        stop_to_next_token=stop,
        served=served,
        transformers=plain,
        transformers_missing=missing,
    )


def _transformers_speed(folder: Path, device: str, vocabulary: int) -> tuple[float | None, str]:
    """Of the way that gpt-oss's cookbook shows: a figure, or why there is none."""
    try:
        engine = load_engine(
            folder, device=device, engine="transformers", progress=lambda stage, share: None
        )
    except EngineError as error:
        return None, str(error)
    speed = Driver(engine, vocabulary).decode(1, 2048)
    engine.close()
    return speed, ""
