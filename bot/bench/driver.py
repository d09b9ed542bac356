"""Drives an engine as the scheduler does, and takes the times."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from threading import Timer

import numpy as np
from numpy.typing import NDArray
from torch.profiler import ProfilerActivity, profile

from bot.bench.result import Kernel
from bot.inference.engines.base import Engine, Sampling, Sequence
from bot.inference.grammar.grammar import Grammar

STEPS = 128
PROFILED_STEPS = 8
REPEATS = 7
LONG = 65536
"""Tokens that are read at most to measure a first token, if one prompt is no longer."""
SECOND_TURN = 64
"""New tokens of a conversation's second turn."""


class Driver:
    """One engine, at its own pace. Prompts of random tokens below `vocabulary` never repeat."""

    def __init__(self, engine: Engine, vocabulary: int) -> None:
        self._engine = engine
        self._vocabulary = vocabulary
        self._prompts = 0

    def answer(self, prompt: list[int], tokens: int) -> tuple[list[int], list[float]]:
        """A greedy answer, and when it was asked for and when each of its tokens came."""
        sequence = _greedy(prompt)
        answer: list[int] = []
        times = [time.perf_counter()]
        self._engine.admit(sequence)
        while len(answer) < tokens:
            for _, token in self._engine.step():
                answer.append(token)
                times.append(time.perf_counter())
        self._engine.release(sequence)
        return answer, times

    def held_in_turns(
        self, prompt: list[int], tokens: int, grammar: Grammar, clock: Callable[[], float]
    ) -> tuple[float, float]:
        """Seconds of a free step and of one that is held to the fresh `grammar`, by `clock`.

        They take turns within one answer, so that whatever else the machine does slows both. The
        grammar goes on with the tokens that it allowed, and knows nothing of those between them.
        """
        sequence = _greedy(prompt)
        held: list[bool] = []
        """Of each token that was drawn, whether the grammar held it."""

        def mask() -> NDArray[np.int32] | None:
            held.append(len(held) % 2 == 1)
            return grammar.allowed() if held[-1] else None

        sequence.mask = mask
        seconds: dict[bool, list[float]] = {False: [], True: []}
        came = 0
        self._engine.admit(sequence)
        while came < tokens:
            asked, begun = len(held), clock()
            for _, token in self._engine.step():
                if held[came]:
                    grammar.consume([token])
                came += 1
            if len(held) > asked:
                seconds[held[-1]].append(clock() - begun)
        self._engine.release(sequence)
        # The first free step has the end of the prompt in it, and the first held one warms up.
        return median(seconds[False][1:]), median(seconds[True][1:])

    def decode(self, batch: int, context: int) -> float:
        """Tokens a second of `batch` sequences together that all began with `context` tokens."""
        speeds = []
        with self._decoding(batch, context):
            for _ in range(4):
                started = time.perf_counter()
                produced = sum(len(self._engine.step()) for _ in range(STEPS // 4))
                speeds.append(produced / (time.perf_counter() - started))
        return median(speeds)

    def kernels(self, batch: int, context: int) -> list[Kernel]:
        """What a step of `decode` consists of, by CUPTI's clock; kernels may overlap."""
        with self._decoding(batch, context):
            with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
                for _ in range(PROFILED_STEPS):
                    self._engine.step()
            kernels = [
                Kernel(
                    event.key,
                    event.count / PROFILED_STEPS,
                    event.device_time_total / 1e6 / PROFILED_STEPS,
                )
                for event in profiler.key_averages()
                if event.device_type.name == "CUDA"
            ]
        return sorted(kernels, key=lambda kernel: -kernel.seconds)

    def first_tokens(self, length: int) -> tuple[float, float]:
        """Seconds to the first token of a new prompt, and of the turn that follows its answer."""
        cold, second = [], []
        for _ in range(max(1, min(REPEATS, LONG // length))):
            prompt = self._prompt(length)
            answer, times = self.answer(prompt, 32)
            cold.append(times[1] - times[0])
            _, times = self.answer(prompt + answer + self._prompt(SECOND_TURN), 1)
            second.append(times[1] - times[0])
        return median(cold), median(second)

    def all_first_tokens(self, prompts: int, length: int) -> float:
        """Seconds until so many new prompts that come at once have their first tokens."""
        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            with self._decoding(prompts, length):
                seconds.append(time.perf_counter() - started)
        return median(seconds)

    def stop(self) -> float:
        """Seconds from releasing a sequence in mid-answer to the next one's first token."""
        seconds = []
        for _ in range(REPEATS):
            stopped = _greedy(self._prompt(512))
            self._engine.admit(stopped)
            for _ in range(8):
                self._engine.step()
            started = time.perf_counter()
            self._engine.release(stopped)
            _, times = self.answer(self._prompt(16), 1)
            seconds.append(times[1] - started)
        return median(seconds)

    def leave(self, length: int, after: float) -> float:
        """Seconds from when nobody waits for a prompt any more to the next one's first token.

        That is `after` seconds into the reading of a new prompt with `length` tokens.
        """
        left = _greedy(self._prompt(length))
        times = []

        def abandon() -> None:
            times.append(time.perf_counter())
            left.abandoned = True

        self._engine.admit(left)
        Timer(after, abandon).start()
        while not left.abandoned:
            self._engine.step()
        self._engine.release(left)
        _, answered = self.answer(self._prompt(16), 1)
        return answered[1] - times[0]

    @contextmanager
    def _decoding(self, batch: int, context: int) -> Iterator[None]:
        sequences = [_greedy(self._prompt(context)) for _ in range(batch)]
        for sequence in sequences:
            self._engine.admit(sequence)
        while len(self._engine.step()) < batch:
            pass
        yield
        for sequence in sequences:
            self._engine.release(sequence)

    def _prompt(self, length: int) -> list[int]:
        self._prompts += 1
        return random.Random(self._prompts).choices(range(self._vocabulary), k=length)


def _greedy(prompt: list[int]) -> Sequence:
    return Sequence(prompt, Sampling(temperature=0))
