"""A scheduler around a scripted engine, and what becomes of its jobs."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from bot.inference.engines.base import Sequence
from bot.inference.scheduler.job import Event, Job
from bot.inference.scheduler.scheduler import Scheduler
from bot.inference.text.delta import Delta
from bot.inference.text.generation import Generation
from bot.inference.text.prompt import ChatFormat
from tests.inference.scripted_engine import ScriptedEngine
from tests.inference.tokenizers_fixture import SMOLLM2_TEMPLATE, chatml_tokenizer

E = TypeVar("E", bound=Event)

FORMAT = ChatFormat(chatml_tokenizer(SMOLLM2_TEMPLATE))
WORD = FORMAT.control_ids(" blue")[0]
END = min(FORMAT.stop_ids)


def says(tokens: int) -> Callable[[Sequence], list[int]]:
    """Every answer has so many tokens, the last of which ends the turn."""
    return lambda sequence: [WORD] * (tokens - 1) + [END]


def endless(sequence: Sequence) -> Iterator[int]:
    return itertools.repeat(WORD)


class Bench:
    """A scheduler, its engine, and what became of the jobs."""

    def __init__(
        self, engine: ScriptedEngine, queue_limit: int = 100, deadline_seconds: float = 60.0
    ) -> None:
        self.engine = engine
        self.ended: list[Job] = []
        self.errors: list[Exception] = []
        self.tokens: list[tuple[Job, float]] = []
        """Whose each was, and the seconds since the one before."""
        self.scheduler = Scheduler(
            engine,
            queue_limit=queue_limit,
            deadline_seconds=deadline_seconds,
            on_token=lambda job, seconds: self.tokens.append((job, seconds)),
            on_end=self.ended.append,
            on_failure=self.errors.append,
        )

    def submit(
        self,
        user: str = "server/user",
        *,
        max_tokens: int = 10**9,
        effort: str | None = None,
        weight: float = 1.0,
        prompt: int = 3,
        arrived: float | None = None,
        stop: tuple[str, ...] = (),
    ) -> Job:
        """A request whose prompt has so many tokens."""
        sequence = Sequence([1] * prompt)
        generation = Generation(FORMAT, sequence, max_tokens=max_tokens, stop=stop)
        return self.scheduler.submit(
            sequence,
            generation,
            request_id="id",
            user=user,
            weight=weight,
            effort=effort,
            max_tokens=max_tokens,
            arrived=arrived,
        )

    def assert_nothing_left(self) -> None:
        assert (self.scheduler.running, self.scheduler.waiting) == (0, 0)
        assert not self.scheduler._timers
        assert self.engine.running == set()


@asynccontextmanager
async def bench(engine: ScriptedEngine, **options: Any) -> AsyncIterator[Bench]:
    it = Bench(engine, **options)
    try:
        yield it
    finally:
        await it.scheduler.drain(0)
        it.assert_nothing_left()
        assert engine.closed


async def events(job: Job) -> list[Event]:
    with job:
        return [event async for event in job]


async def last(job: Job) -> Event:
    return (await events(job))[-1]


def text(job_events: list[Event]) -> str:
    return "".join(event.content for event in job_events if isinstance(event, Delta))


async def until_tokens(job: Job, tokens: int) -> None:
    """Read the job's events until so many tokens were generated."""
    while job.tokens < tokens:
        await anext(job)


async def until(job: Job, kind: type[E]) -> E:
    """The job's next event of this kind."""
    async for event in job:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"the job ended without {kind.__name__}")
