"""`bot bench --synthetic`: how fast the gpt-oss engine is at true size, without the true weights.

A checkpoint of random weights is written to a temporary folder and measured as `bot serve` would
run it, beside the least time that the card's memory allows: the bytes a decode step must read over
the bandwidth of a large copy on the same card. Times are medians.
"""

import json
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table

if TYPE_CHECKING:
    import torch
    from transformers import GptOssConfig

    from bot.inference.engines.base import Engine, Sequence

SHAPES = {"gpt-oss-20b": (24, 32), "gpt-oss-120b": (36, 128)}
"""Layers and experts; all else is the same in both, and transformers' default."""
DECODES = ((1, 2048), (1, 8192), (4, 2048), (8, 2048), (32, 2048))
"""Batch sizes, and the tokens before each sequence's first decode step."""
PROMPTS = (128, 2048)
SECOND_TURN = 64
"""New tokens of a conversation's second turn."""
STEPS = 128
REPEATS = 7


@dataclass(frozen=True)
class Decode:
    """Tokens a second of all sequences together, and the most that the bandwidth allows."""

    batch: int
    context: int
    speed: float
    limit: float


@dataclass(frozen=True)
class Speed:
    """What was measured. Times in seconds, bandwidth in bytes a second."""

    shape: str
    card: str
    torch: str
    triton: str
    bandwidth: float
    loading: float
    memory: int
    """Bytes of the card in use by the engine, with a cache for 32 sequences."""
    decodes: list[Decode] = field(default_factory=list)
    first_tokens: dict[str, float] = field(default_factory=dict)
    stop_to_next_token: float = 0.0
    """From releasing a sequence in mid-answer to the first token of a 16-token prompt."""
    weights: str = "random weights"

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)


def measure(shape: str, device_name: str, on_stage: Callable[[str], None]) -> Speed:
    """Measure the gpt-oss engine on a random checkpoint of `shape`, a key of SHAPES.

    Raises EngineError, where this machine can't run it too.
    """
    import torch
    from transformers import GptOssConfig

    from bot.inference.engines import EngineError, load_engine
    from bot.inference.engines.device import find_device
    from bot.inference.engines.gptoss.synthetic import write_checkpoint

    device = find_device(device_name)
    if device.type != "cuda":
        raise EngineError(f"this bench needs a CUDA card, and the device is {device.type}")
    layers, experts = SHAPES[shape]
    config = GptOssConfig(num_hidden_layers=layers, num_local_experts=experts)
    slots = max(batch for batch, _ in DECODES)
    with tempfile.TemporaryDirectory(prefix="gptoss-bench-") as folder:
        on_stage("writing random weights")
        write_checkpoint(Path(folder), config, device=device)
        on_stage("loading")
        started = time.perf_counter()
        engine = load_engine(
            Path(folder),
            device=str(device),
            engine="gptoss",
            slots=slots,
            context=max(context for _, context in DECODES) + STEPS + 64,
            progress=lambda stage, share: None,
        )
        loading = time.perf_counter() - started
    on_stage("bandwidth")
    bandwidth = _bandwidth(device)
    result = Speed(
        shape=shape,
        card=torch.cuda.get_device_name(device),
        torch=torch.__version__,
        triton=version("triton"),
        bandwidth=bandwidth,
        loading=loading,
        memory=torch.cuda.memory_reserved(device),
    )
    bench = _Bench(engine, config.vocab_size)
    for batch, context in DECODES:
        on_stage(f"decoding, batch {batch} after {context} tokens")
        speed = bench.decode(batch, context)
        limit = batch * bandwidth / step_bytes(config, batch, context)
        result.decodes.append(Decode(batch, context, speed, limit))
    for length in PROMPTS:
        on_stage(f"first token of {length}")
        cold, second = bench.first_tokens(length)
        result.first_tokens[f"{length} tokens"] = cold
        result.first_tokens[f"second turn after {length}"] = second
    on_stage("stopping")
    stop = bench.stop()
    engine.close()
    return Speed(**{**vars(result), "stop_to_next_token": stop})


def step_bytes(config: "GptOssConfig", batch: int, context: int) -> float:
    """The bytes that one decode step must read, with experts chosen uniformly.

    Weights once, of the experts those that are chosen by any sequence; keys and values of each
    sequence, in sliding layers those in the window.
    """
    size, inner, head = config.hidden_size, config.intermediate_size, config.head_dim
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    experts, top = config.num_local_experts, config.num_experts_per_tok
    attention = 2 * size * head * (2 * heads + 2 * kv_heads)
    expert = 3 * size * inner * (4 + 8 / 32) / 8 + 2 * (2 * inner + size)
    chosen = experts * (1 - (1 - top / experts) ** batch)
    total: float = 2 * config.vocab_size * size
    for kind in config.layer_types:
        seen = context if kind == "full_attention" else min(context, config.sliding_window)
        cache = batch * seen * 2 * 2 * kv_heads * head
        total += attention + 2 * size * experts + chosen * expert + cache
    return total


def report(speed: Speed) -> RenderableType:
    """The figures as a table, and decode speeds as bars up to the limit."""
    versions = f"torch {speed.torch}, Triton {speed.triton}"
    table = Table(title=f"{speed.shape}, {speed.weights}, on {speed.card}; {versions}")
    for heading in ("", "measured", "limit", "share"):
        table.add_column(heading, justify="left" if not heading else "right")
    bars = Table.grid(padding=(0, 2))
    for decode in speed.decodes:
        label = f"decode, batch {decode.batch} after {decode.context} tokens"
        share = decode.speed / decode.limit
        table.add_row(label, f"{decode.speed:.0f} tokens/s", f"{decode.limit:.0f}", f"{share:.0%}")
        bars.add_row(label, ProgressBar(1.0, share, width=50), f"{share:.0%} of the limit")
    for name, seconds in speed.first_tokens.items():
        table.add_row(f"first token, {name}", f"{seconds * 1000:.1f} ms")
    table.add_row("stop to next token", f"{speed.stop_to_next_token * 1000:.1f} ms")
    table.add_row("loading and warm-up", f"{speed.loading:.1f} s")
    table.add_row("memory", f"{speed.memory / 1e9:.1f} GB")
    table.caption = (
        f"The limit is the bytes of a step at {speed.bandwidth / 1e12:.2f} TB/s,"
        " the bandwidth of a large copy here."
    )
    return Group(table, "", bars)


def _bandwidth(device: "torch.device") -> float:
    """Bytes a second, read and written, of copying 4 GB."""
    import torch

    source = torch.empty(2**32, dtype=torch.uint8, device=device).random_()
    target = torch.empty_like(source)
    times = []
    for _ in range(REPEATS):
        torch.cuda.synchronize(device)
        started = time.perf_counter()
        target.copy_(source)
        torch.cuda.synchronize(device)
        times.append(time.perf_counter() - started)
    return 2 * source.numel() / median(times)


class _Bench:
    """Drives the engine as the scheduler does; every prompt is new unless it is meant not to be."""

    def __init__(self, engine: "Engine", vocabulary: int) -> None:
        self._engine = engine
        self._vocabulary = vocabulary
        self._prompts = 0

    def decode(self, batch: int, context: int) -> float:
        """Tokens a second of `batch` greedy sequences that all began with `context` tokens."""
        sequences = [self._sequence(self._prompt(context)) for _ in range(batch)]
        for sequence in sequences:
            self._engine.admit(sequence)
        while len(self._engine.step()) < batch:
            pass
        speeds = []
        for _ in range(4):
            started = time.perf_counter()
            produced = sum(len(self._engine.step()) for _ in range(STEPS // 4))
            speeds.append(produced / (time.perf_counter() - started))
        for sequence in sequences:
            self._engine.release(sequence)
        return median(speeds)

    def first_tokens(self, length: int) -> tuple[float, float]:
        """Seconds to the first token of a new prompt, and of the turn that follows its answer."""
        cold, second = [], []
        for _ in range(REPEATS):
            prompt = self._prompt(length)
            taken, answer = self._answer(prompt, 32)
            cold.append(taken)
            following = prompt + answer + self._prompt(SECOND_TURN)
            second.append(self._answer(following, 1)[0])
        return median(cold), median(second)

    def stop(self) -> float:
        """Seconds from releasing a sequence in mid-answer to the next one's first token."""
        times = []
        for _ in range(REPEATS):
            stopped = self._sequence(self._prompt(512))
            self._engine.admit(stopped)
            for _ in range(8):
                self._engine.step()
            started = time.perf_counter()
            self._engine.release(stopped)
            self._answer(self._prompt(16), 1)
            times.append(time.perf_counter() - started)
        return median(times)

    def _answer(self, prompt: list[int], tokens: int) -> tuple[float, list[int]]:
        sequence = self._sequence(prompt)
        answer: list[int] = []
        first = 0.0
        started = time.perf_counter()
        self._engine.admit(sequence)
        while len(answer) < tokens:
            answer += [token for _, token in self._engine.step()]
            if answer and not first:
                first = time.perf_counter() - started
        self._engine.release(sequence)
        return first, answer

    def _sequence(self, prompt: list[int]) -> "Sequence":
        from bot.inference.engines.base import Sampling, Sequence

        return Sequence(prompt, Sampling(temperature=0))

    def _prompt(self, length: int) -> list[int]:
        self._prompts += 1
        return random.Random(self._prompts).choices(range(self._vocabulary), k=length)
