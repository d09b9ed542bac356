"""Drives an engine as the scheduler does, and takes the times."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from torch.profiler import ProfilerActivity, profile

from bot.inference.engines.base import Engine, Sampling, Sequence
from bot.inference.speed.result import Kernel

STEPS = 128
PROFILED_STEPS = 8
REPEATS = 7
SECOND_TURN = 64
"""New tokens of a conversation's second turn."""


class Driver:
    """Every prompt is new unless it is meant not to be."""

    def __init__(self, engine: Engine, vocabulary: int) -> None:
        self._engine = engine
        self._vocabulary = vocabulary
        self._prompts = 0

    def decode(self, batch: int, context: int) -> float:
        """Tokens a second of `batch` greedy sequences that all began with `context` tokens."""
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

    @contextmanager
    def _decoding(self, batch: int, context: int) -> Iterator[None]:
        sequences = [self._sequence(self._prompt(context)) for _ in range(batch)]
        for sequence in sequences:
            self._engine.admit(sequence)
        while len(self._engine.step()) < batch:
            pass
        yield
        for sequence in sequences:
            self._engine.release(sequence)

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

    def _sequence(self, prompt: list[int]) -> Sequence:
        return Sequence(prompt, Sampling(temperature=0))

    def _prompt(self, length: int) -> list[int]:
        self._prompts += 1
        return random.Random(self._prompts).choices(range(self._vocabulary), k=length)
