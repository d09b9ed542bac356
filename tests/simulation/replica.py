"""A replica with the real scheduler, whose engine takes the times of a measured card."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from unittest.mock import patch

from bot.inference.engines.base import Engine, Sequence
from bot.inference.scheduler.engine_thread import Output
from bot.inference.scheduler.job import Job
from bot.inference.scheduler.scheduler import Scheduler
from bot.inference.text.generation import Generation

TOKENS_PER_SECOND = {1: 736, 2: 978, 4: 1554, 8: 2479, 16: 3886, 32: 6158}
"""gpt-oss-20b's shape on one H200, all answers together, by how many there are at once
(docs/benchmarks.md)."""
PREFILL_SECONDS_PER_TOKEN = 0.0328 / 2048
PREFILL_SECONDS = 0.006
"""Of the shortest prompt."""
CACHED_TOKENS = 4_000_000
"""Room for keys and values beside the weights: 100 GB of 24.6 KB a token."""
STRIDE = 8
"""Tokens of each answer that the clock goes on by at once."""


def step_seconds(batch: int) -> float:
    """Of a step with so many answers: as long as with the next number that was measured."""
    measured = next((n for n in TOKENS_PER_SECOND if n >= batch), max(TOKENS_PER_SECOND))
    return measured / TOKENS_PER_SECOND[measured]


@dataclass
class Answer:
    """Stands for a Generation: so many tokens, of which nobody reads the text."""

    length: int
    conversation: str
    completion_tokens: int = 0
    reasoning_tokens: int = 0


class VirtualEngine:
    """In place of EngineThread and its engine: what they do, by the event loop's clock."""

    def __init__(
        self, engine: Any, on_step: Callable[[list[Output]], object], on_failure: object
    ) -> None:
        self._on_step = on_step
        self._prefilling: dict[Job, None] = {}
        self._decoding: dict[Job, None] = {}
        self._cached: OrderedDict[str, int] = OrderedDict()
        """Tokens of each conversation, the least recently used first."""
        self._cached_tokens = 0
        self._working: asyncio.Task[None] | None = None

    @property
    def sequences(self) -> int:
        return len(self._prefilling) + len(self._decoding)

    def admit(self, job: Job) -> None:
        self._prefilling[job] = None
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())

    def release(self, job: Job) -> None:
        self._prefilling.pop(job, None)
        self._decoding.pop(job, None)

    def close(self) -> None:
        if self._working:
            self._working.cancel()

    def join(self, seconds: float) -> bool:
        return True

    async def _work(self) -> None:
        while self.sequences:
            if self._prefilling:
                await self._prefill(next(iter(self._prefilling)))
            await self._decode()

    async def _prefill(self, job: Job) -> None:
        del self._prefilling[job]
        prompt = len(job.sequence.prompt)
        job.sequence.cached_tokens = self._cached.pop(_answer(job).conversation, 0)
        self._cached_tokens -= job.sequence.cached_tokens
        new = prompt - job.sequence.cached_tokens
        await asyncio.sleep(PREFILL_SECONDS + PREFILL_SECONDS_PER_TOKEN * new)
        self._decoding[job] = None

    async def _decode(self) -> None:
        jobs = list(self._decoding)
        if not jobs:
            return
        await asyncio.sleep(STRIDE * step_seconds(len(jobs)))
        for _ in range(STRIDE):
            self._on_step([self._token(job) for job in jobs if job in self._decoding])

    def _token(self, job: Job) -> Output:
        answer = _answer(job)
        answer.completion_tokens += 1
        if answer.completion_tokens < answer.length:
            return Output(job)
        del self._decoding[job]
        self._cached_tokens -= self._cached.pop(answer.conversation, 0)
        self._cached[answer.conversation] = len(job.sequence.prompt) + answer.length
        self._cached_tokens += self._cached[answer.conversation]
        while self._cached_tokens > CACHED_TOKENS:
            self._cached_tokens -= self._cached.popitem(last=False)[1]
        return Output(job, finish_reason="stop")


def _answer(job: Job) -> Answer:
    return cast(Answer, job.generation)


@dataclass(frozen=True)
class Slots:
    slots: int


class Replica:
    """Make it inside `virtual_engines`. `requests` are running or waiting."""

    def __init__(self, slots: int, on_token: Callable[[Job, float], None]) -> None:
        self._scheduler = Scheduler(
            cast(Engine, Slots(slots)), queue_limit=10**6, deadline_seconds=1e9, on_token=on_token
        )

    @property
    def requests(self) -> int:
        return self._scheduler.running + self._scheduler.waiting

    async def ask(self, user: str, conversation: str, prompt: int, answer: int) -> Job:
        """An answer of so many tokens to a prompt of so many; returns at its end."""
        job = self._scheduler.submit(
            Sequence([0] * prompt),
            cast(Generation, Answer(answer, conversation)),
            request_id="",
            user=user,
            weight=1.0,
            effort=None,
            max_tokens=answer,
        )
        with job:
            async for _ in job:
                pass
        return job


@contextmanager
def virtual_engines() -> Iterator[None]:
    """Inside, schedulers have VirtualEngines, and tell nobody a place in the queue.

    Nobody reads it here, and with a thousand who wait it would take most of the time.
    """
    with (
        patch("bot.inference.scheduler.scheduler.EngineThread", VirtualEngine),
        patch.object(Scheduler, "_announce", lambda scheduler: None),
    ):
        yield
