"""The configured model beside plain transformers on the same model.

Each contender runs in a process of its own, so that its peak memory is its own. On a CPU they take
turns, so that other work on the machine slows both; on a GPU, which may have room for one copy of
the model only, they run one after the other.
"""

import math
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from transformers import AutoTokenizer

from bot.bench.contenders import Contender, EngineContender, GenerateContender
from bot.bench.result import Figure, Result
from bot.inference.engines.device import find_device

TEXT = Path(__file__).with_name("text.txt")
PROMPT_TOKENS = 512
ANSWER_TOKENS = 64
QUESTION_TOKENS = 64
"""A second turn's prompt is the first turn's, its answer and so many new tokens, 512 in all."""
REPEATS = 5

DECODE = "decode"
HELD = "decode, held to JSON"
"""Seconds of a step, see Contender.held."""
FREE = "a step, free"
FIRST_TOKEN = "first token, cold"
SECOND_TURN = "first token, second turn"
MEMORY = "peak memory"
PERPLEXITY = "perplexity"
UNITS = {
    DECODE: "tokens/s",
    HELD: "s",
    FIRST_TOKEN: "s",
    SECOND_TURN: "s",
    MEMORY: "bytes",
    PERPLEXITY: "",
}


def compare(
    name: str,
    folder: Path,
    device: str,
    on_stage: Callable[[str], None] = lambda stage: None,
    *,
    engine: str = "auto",
    weights: str = "int8",
) -> Result:
    """Measure the model in `folder`, which takes about a minute for the default model.

    `device`, `engine` and `weights` are those of engines.load_engine. Raises EngineError when the
    model can't be loaded.
    """
    torch_device = find_device(device)
    pair: tuple[type[Contender], ...] = (EngineContender, GenerateContender)
    measured: list[dict[str, float | None]] = []
    for group in [pair] if torch_device.type == "cpu" else [(kind,) for kind in pair]:
        with ExitStack() as stack:
            processes = {
                kind: stack.enter_context(ProcessPoolExecutor(1, get_context("spawn")))
                for kind in group
            }
            for kind, process in processes.items():
                on_stage(f"loading {kind.title}")
                process.submit(_start, kind, folder, device, engine, weights).result()
            for repeat in range(REPEATS + 1):
                on_stage(f"round {repeat} of {REPEATS}" if repeat else "warming up")
                for process in processes.values():
                    process.submit(_run_round, repeat).result()
            on_stage("perplexity")
            for process in processes.values():
                figures, threads = process.submit(_finish).result()
                measured.append(figures)
    ours, generate = measured
    free, held = ours[FREE], ours[HELD]
    assert free is not None
    assert held is not None
    settings: dict[str, str | int] = {
        "threads": threads,
        "prompt tokens": PROMPT_TOKENS,
        "answer tokens": ANSWER_TOKENS,
        "repeats": REPEATS,
    }
    notes = {HELD: f"{held / free:.1%} of a free step"}
    cold, second = ours[FIRST_TOKEN], ours[SECOND_TURN]
    assert cold is not None
    assert second is not None
    return Result(
        name,
        str(torch_device),
        GenerateContender.title,
        settings,
        [
            Figure(key, unit, ours[key], generate[key], notes.get(key, ""))
            for key, unit in UNITS.items()
        ],
        remark=f"A second turn takes {second / cold:.2f} of a cold one to its first token.",
    )


@dataclass
class _Bench:
    """One contender's process: the model, the text's tokens, and the times so far."""

    contender: Contender
    device: torch.device
    text: list[int]
    cold: list[float] = field(default_factory=list)
    second: list[float] = field(default_factory=list)
    speed: list[float] = field(default_factory=list)
    free: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)


_bench: _Bench


def _start(kind: type[Contender], folder: Path, device: str, engine: str, weights: str) -> None:
    global _bench
    contender = kind(folder, device, engine, weights)  # first of all: it sets torch's threads up
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
    if steps := _bench.contender.held(first, ANSWER_TOKENS):
        _bench.free.append(steps[0])
        _bench.held.append(steps[1])
    _, times = answer(first + answered + text[-QUESTION_TOKENS:], 1)
    _bench.second.append(times[1] - times[0])


def _finish() -> tuple[dict[str, float | None], int]:
    """The medians without the round that warmed up, and the number of threads."""
    tokens = _bench.text[:PROMPT_TOKENS]
    figures = {
        DECODE: median(_bench.speed[1:]),
        FREE: median(_bench.free[1:]) if _bench.free else None,
        HELD: median(_bench.held[1:]) if _bench.held else None,
        FIRST_TOKEN: median(_bench.cold[1:]),
        SECOND_TURN: median(_bench.second[1:]),
        MEMORY: _peak_memory(_bench.device),
        PERPLEXITY: _perplexity(_bench.contender.logits(tokens), tokens),
    }
    return figures, torch.get_num_threads()


def _perplexity(logits: Tensor | None, tokens: list[int]) -> float | None:
    """exp of the mean negative log-likelihood of each token after the ones before it."""
    if logits is None:
        return None
    targets = torch.tensor(tokens[1:], device=logits.device)
    return math.exp(torch.nn.functional.cross_entropy(logits[:-1].float(), targets))


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes there, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
