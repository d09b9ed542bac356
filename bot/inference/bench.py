"""`bot bench`: how fast a model answers here, beside plain transformers on the same model.

Each contender runs in a process of its own, so that its peak memory is its own. On a CPU they take
turns, so that other work on the machine slows both; on a GPU, which may have room for one copy of
the model only, they run one after the other. Times are medians; decoding is greedy.
"""

import json
import math
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table

if TYPE_CHECKING:
    import torch
    from torch import Tensor

TEXT = Path(__file__).with_name("bench.txt")
PROMPT_TOKENS = 512
ANSWER_TOKENS = 64
QUESTION_TOKENS = 64
"""A second turn's prompt is the first turn's, its answer and so many new tokens, 512 in all."""
REPEATS = 5


@dataclass(frozen=True)
class Measurement:
    """One contender. Times in seconds, decode speed in tokens a second, memory in bytes."""

    first_token_cold: float
    first_token_second_turn: float
    decode_speed: float
    peak_memory: int
    perplexity: float | None
    """Of the text in bench.txt; None where an engine shows no logits."""


@dataclass(frozen=True)
class BenchResult:
    """Our engine and transformers' `generate`, measured in the same run."""

    model: str
    device: str
    threads: int
    prompt_tokens: int
    answer_tokens: int
    repeats: int
    engine: Measurement
    generate: Measurement

    @property
    def ratios(self) -> dict[str, float]:
        """What to look at first: more is better for speed, less for the others."""
        ours, plain = self.engine, self.generate
        return {
            "decode_speed_to_generate": ours.decode_speed / plain.decode_speed,
            "second_turn_to_cold": ours.first_token_second_turn / ours.first_token_cold,
            "first_token_to_generate": ours.first_token_cold / plain.first_token_cold,
            "peak_memory_to_generate": ours.peak_memory / plain.peak_memory,
        }

    def to_json(self) -> str:
        return json.dumps(asdict(self) | {"ratios": self.ratios}, indent=2)


def run_bench(
    name: str,
    folder: Path,
    device: str,
    engine: str = "auto",
    on_stage: Callable[[str], None] = lambda stage: None,
) -> BenchResult:
    """Measure the model in `folder`, which takes about a minute for the default model.

    `device` and `engine` are those of engines.load_engine. Raises EngineError when the model can't
    be loaded.
    """
    from bot.inference.engines.device import find_device

    torch_device = find_device(device)
    pair = (_EngineContender, _GenerateContender)
    measured: dict[type[_Contender], Measurement] = {}
    for group in [pair] if torch_device.type == "cpu" else [(kind,) for kind in pair]:
        with ExitStack() as stack:
            processes = {
                kind: stack.enter_context(ProcessPoolExecutor(1, get_context("spawn")))
                for kind in group
            }
            for kind, process in processes.items():
                on_stage(f"loading {kind.title}")
                process.submit(_start, kind, folder, device, engine).result()
            for repeat in range(REPEATS + 1):
                on_stage(f"round {repeat} of {REPEATS}" if repeat else "warming up")
                for process in processes.values():
                    process.submit(_run_round, repeat).result()
            on_stage("perplexity")
            for kind, process in processes.items():
                measured[kind], threads = process.submit(_finish).result()
    return BenchResult(
        model=name,
        device=str(torch_device),
        threads=threads,
        prompt_tokens=PROMPT_TOKENS,
        answer_tokens=ANSWER_TOKENS,
        repeats=REPEATS,
        engine=measured[_EngineContender],
        generate=measured[_GenerateContender],
    )


def report(result: BenchResult) -> RenderableType:
    """The result as a table and a picture for the terminal."""
    ours, plain, ratios = result.engine, result.generate, result.ratios
    table = Table(title=f"{result.model} on {result.device}, {result.threads} threads")
    table.add_column("")
    for heading in ("bot serve", "generate", "ratio"):
        table.add_column(heading, justify="right")

    def row(label: str, form: Callable[[Any], str], ours: Any, plain: Any) -> None:
        ratio = f"{ours / plain:.2f}" if ours is not None else ""
        table.add_row(label, form(ours) if ours is not None else "", form(plain), ratio)

    row("decode, tokens/s", "{:.1f}".format, ours.decode_speed, plain.decode_speed)
    row("first token, cold", _milliseconds, ours.first_token_cold, plain.first_token_cold)
    row(
        "first token, second turn",
        _milliseconds,
        ours.first_token_second_turn,
        plain.first_token_second_turn,
    )
    row("peak memory", lambda b: f"{b / 2**20:.0f} MiB", ours.peak_memory, plain.peak_memory)
    row("perplexity", "{:.2f}".format, ours.perplexity, plain.perplexity)
    table.caption = (
        f"{result.prompt_tokens}-token prompts, {result.answer_tokens}-token answers,"
        f" medians of {result.repeats}. A second turn takes {ratios['second_turn_to_cold']:.2f}"
        " of a cold one to its first token."
    )
    bars = Table.grid(padding=(0, 2))
    fastest = max(ours.decode_speed, plain.decode_speed)
    for title, speed in (("bot serve", ours.decode_speed), ("generate", plain.decode_speed)):
        bars.add_row(title, ProgressBar(fastest, speed, width=50), f"{speed:.0f} tokens/s")
    return Group(table, "", bars)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


class _EngineContender:
    """The engine that `bot serve` would use, driven as its scheduler drives it."""

    title = "bot serve"

    def __init__(self, folder: Path, device: str, engine: str) -> None:
        from bot.inference.engines import load_engine

        self._engine = load_engine(
            folder, device=device, engine=engine, progress=lambda stage, share: None
        )

    def answer(self, prompt: list[int], tokens: int) -> tuple[list[int], list[float]]:
        from bot.inference.engines.base import Sampling, Sequence

        answer: list[int] = []
        times = [time.perf_counter()]
        sequence = Sequence(prompt, Sampling(temperature=0))
        self._engine.admit(sequence)
        while len(answer) < tokens:
            for _, token in self._engine.step():
                answer.append(token)
                times.append(time.perf_counter())
        self._engine.release(sequence)
        return answer, times

    def logits(self, tokens: list[int]) -> "Tensor | None":
        """After each token, fed one at a time: the way of decoding."""
        import torch

        from bot.inference.engines.causal import CausalEngine

        if not isinstance(self._engine, CausalEngine):
            return None
        model = self._engine.model
        cache = model.new_cache()
        with torch.inference_mode():
            return torch.stack([model.forward([token], cache) for token in tokens])


class _GenerateContender:
    """transformers' own `generate`, as its documentation calls it."""

    title = "transformers generate"

    def __init__(self, folder: Path, device: str, engine: str) -> None:  # whichever engine
        from bot.inference.engines.device import find_device
        from bot.inference.engines.transformers import load_checkpoint

        self._model = load_checkpoint(folder, find_device(device))

    def answer(self, prompt: list[int], tokens: int) -> tuple[list[int], list[float]]:
        import torch

        clock = _Clock()
        started = time.perf_counter()
        output = self._model.generate(
            torch.tensor([prompt], device=self._model.device),
            attention_mask=torch.ones(1, len(prompt), device=self._model.device),
            streamer=clock,
            do_sample=False,
            min_new_tokens=tokens,
            max_new_tokens=tokens,
        )
        return output[0, len(prompt) :].tolist(), [started, *clock.times[1:]]

    def logits(self, tokens: list[int]) -> "Tensor | None":
        import torch

        with torch.inference_mode():
            logits: Tensor = self._model(torch.tensor([tokens], device=self._model.device)).logits
        return logits[0]


class _Clock:
    """A streamer for `generate`, which gives it the prompt first and then every token."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, tokens: "Tensor") -> None:
        self.times.append(time.perf_counter())

    def end(self) -> None: ...


class _Contender(Protocol):
    title: str

    def __init__(self, folder: Path, device: str, engine: str) -> None: ...

    def answer(self, prompt: list[int], tokens: int) -> tuple[list[int], list[float]]:
        """A greedy answer, and when it was asked for and when each of its tokens came."""
        ...

    def logits(self, tokens: list[int]) -> "Tensor | None":
        """After each of `tokens`, [tokens, vocabulary]."""
        ...


@dataclass
class _Bench:
    """One contender's process: the model, the text's tokens, and the times so far."""

    contender: _Contender
    device: "torch.device"
    text: list[int]
    cold: list[float] = field(default_factory=list)
    second: list[float] = field(default_factory=list)
    speed: list[float] = field(default_factory=list)


_bench: _Bench


def _start(kind: type[_Contender], folder: Path, device: str, engine: str) -> None:
    global _bench
    contender = kind(folder, device, engine)  # first of all: it sets torch's threads up

    from transformers import AutoTokenizer

    from bot.inference.engines.device import find_device

    text = AutoTokenizer.from_pretrained(folder)(TEXT.read_text(encoding="utf-8"))["input_ids"]
    _bench = _Bench(contender, find_device(device), text)


def _run_round(repeat: int) -> None:
    """Time a cold prompt, then a conversation's first answer and its second turn."""
    answer, text = _bench.contender.answer, _bench.text
    start = repeat * 16  # no two prompts begin alike
    _, times = answer(text[start : start + PROMPT_TOKENS], 1)
    _bench.cold.append(times[1] - times[0])
    start += 8
    first = text[start : start + PROMPT_TOKENS - ANSWER_TOKENS - QUESTION_TOKENS]
    answered, times = answer(first, ANSWER_TOKENS)
    _bench.speed.append((ANSWER_TOKENS - 1) / (times[-1] - times[1]))
    _, times = answer(first + answered + text[-QUESTION_TOKENS:], 1)
    _bench.second.append(times[1] - times[0])


def _finish() -> tuple[Measurement, int]:
    """The medians without the round that warmed up, and the number of threads."""
    import torch

    tokens = _bench.text[:PROMPT_TOKENS]
    measurement = Measurement(
        first_token_cold=median(_bench.cold[1:]),
        first_token_second_turn=median(_bench.second[1:]),
        decode_speed=median(_bench.speed[1:]),
        peak_memory=_peak_memory(_bench.device),
        perplexity=_perplexity(_bench.contender.logits(tokens), tokens),
    )
    return measurement, torch.get_num_threads()


def _perplexity(logits: "Tensor | None", tokens: list[int]) -> float | None:
    """exp of the mean negative log-likelihood of each token after the ones before it."""
    if logits is None:
        return None
    import torch

    targets = torch.tensor(tokens[1:], device=logits.device)
    return math.exp(torch.nn.functional.cross_entropy(logits[:-1].float(), targets))


def _peak_memory(device: "torch.device") -> int:
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes there, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
