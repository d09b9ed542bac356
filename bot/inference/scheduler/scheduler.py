"""Who generates now: admission, fairness, queue places, deadlines and cancellation.

Everything here runs on the event loop; `EngineThread` does the engine's work. A slot counts as free
as soon as its job's release is sent, because the thread runs commands in their order.
"""

import asyncio
import heapq
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import structlog

from bot.inference.engines.base import Engine, Sequence
from bot.inference.scheduler.engine_thread import EngineThread, Output
from bot.inference.scheduler.fair_queue import FairQueue
from bot.inference.scheduler.job import Failed, Finished, Job, Queued, Started
from bot.inference.scheduler.speed import Speed
from bot.inference.text.generation import Generation

log = structlog.get_logger()

OUTPUT_WEIGHT = 2.0
"""What a generated token counts in fairness; one of the prompt counts 1 (Sheng et al.)."""

HUNG_SECONDS = 3.0
"""A step that takes longer is taken for hanging, and the process ends without it."""

ANNOUNCE_SECONDS = 5.0
"""How often waiting clients get a new estimate: answers end sooner or later than expected."""

RETRY_SECONDS = 5
"""What a client is told to wait while no speed is known, or the service is to come back."""


class QueueFull(Exception):
    """The queue is full. `retry_after` is in seconds."""

    def __init__(self, waiting: int, retry_after: int) -> None:
        super().__init__(f"{waiting} requests are waiting already; try again in {retry_after} s")
        self.retry_after = retry_after


class Closed(Exception):
    """The scheduler takes no requests any more."""


class Scheduler:
    """Shares `engine` between requests. Create and use it on one event loop.

    `deadline_seconds` bounds waiting and generating together. `on_token` gets every job that has
    one token more, and how long that took since the token before, or since the request; `on_end`
    every job that has ended, cancelled ones too; `on_failure` the error that broke the engine,
    after its jobs were failed.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        queue_limit: int,
        deadline_seconds: float,
        on_token: Callable[[Job, float], None] = lambda job, seconds: None,
        on_end: Callable[[Job], None] = lambda job: None,
        on_failure: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        self.slots = engine.slots
        self.speed = Speed()
        self._queue_limit = queue_limit
        self._deadline_seconds = deadline_seconds
        self._on_token = on_token
        self._on_end = on_end
        self._on_failure = on_failure
        self._queue: FairQueue[Job] = FairQueue()
        self._running: dict[Job, None] = {}
        self._timers: dict[Job, asyncio.TimerHandle] = {}
        self._closed: str | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._announcing = False
        self._announce_again: asyncio.TimerHandle | None = None
        self._retry_after = RETRY_SECONDS
        self._loop = asyncio.get_running_loop()
        self._thread = EngineThread(
            engine,
            on_step=partial(self._tell, self._stepped),
            on_failure=partial(self._tell, self._broken),
        )

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def sequences(self) -> int:
        """Sequences in the engine, by its own count."""
        return self._thread.sequences

    def check(self, arriving: int = 0) -> None:
        """Raise QueueFull or Closed if a request would be refused after so many that arrive."""
        if self._closed:
            raise Closed(self._closed)
        waiting = self.waiting + arriving
        if self.running + waiting >= self.slots + self._queue_limit:
            raise QueueFull(waiting, self._retry_after)

    def submit(
        self,
        sequence: Sequence,
        generation: Generation,
        *,
        request_id: str,
        user: str,
        weight: float,
        effort: str | None,
        max_tokens: int,
        arrived: float | None = None,
    ) -> Job:
        """Take a request. `user` is `server/user`; any other name is a server of its own.

        `weight` is the server's: of two that wait, one of weight 2 gets twice the tokens.
        `arrived`, by the event loop's clock, is when its deadline and its waiting began: now, where
        it is left out.

        Raises QueueFull, Closed.
        """
        self.check()
        server, _, name = user.partition("/")
        if arrived is None:
            arrived = self._loop.time()
        job = Job(
            request_id=request_id,
            flow=(server, name),
            weight=weight,
            effort=effort,
            max_tokens=max_tokens,
            sequence=sequence,
            generation=generation,
            submitted=arrived,
            on_cancel=self._cancel,
        )
        late = Failed(
            "deadline_exceeded", f"No complete answer within {self._deadline_seconds:g} s."
        )
        deadline = arrived + self._deadline_seconds
        self._timers[job] = self._loop.call_at(deadline, self._end, job, late)
        self._queue.push(job)
        self._schedule()
        return job

    async def drain(self, grace_seconds: float) -> None:
        """Refuse new and waiting requests, let the running ones finish, then free the engine."""
        self._closed = self._closed or "The service is shutting down."
        over = Failed("shutting_down", "The service is shutting down.", RETRY_SECONDS)
        self._fail_waiting(over)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await self._idle.wait()
        for job in list(self._running):
            self._end(job, over)
        self._thread.close()
        if not await asyncio.to_thread(self._thread.join, HUNG_SECONDS):
            log.error("a step of the engine hangs: leaving it behind", seconds=HUNG_SECONDS)

    def _tell(self, function: Callable[..., None], *args: Any) -> None:
        """Call it on the event loop; from the engine's thread."""
        with suppress(RuntimeError):  # the loop is closed: a step that hung ended after all
            self._loop.call_soon_threadsafe(function, *args)

    def _schedule(self) -> None:
        while self._queue and self.running < self.slots:
            job = self._queue.pop()
            job.started = self._loop.time()
            self._running[job] = None
            self._idle.clear()
            self._queue.charge(job.flow, len(job.sequence.prompt), job.weight)
            self._thread.admit(job)
            job.emit(Started())
        if not self._announcing:
            self._announcing = True
            self._loop.call_soon(self._announce)

    def _stepped(self, outputs: list[Output]) -> None:
        now = self._loop.time()
        for output in outputs:
            job = output.job
            if job.ended is not None:  # cancelled while the step was under way
                continue
            if output.error:
                self._end(job, Failed("engine_failed", output.error))
                continue
            before = job.submitted if job.first_token is None else job.last_token
            job.first_token = job.first_token or now
            job.last_token = now
            job.tokens += 1
            self._on_token(job, now - before)
            self._queue.charge(job.flow, OUTPUT_WEIGHT, job.weight)
            if output.delta:
                job.emit(output.delta)
            if output.finish_reason:
                self._end(job, Finished(output.finish_reason, job.usage))

    def _cancel(self, job: Job) -> None:
        self._end(job, None)

    def _end(self, job: Job, outcome: Finished | Failed | None) -> None:
        """End a job in any state: every job ends here, finished, failed or cancelled."""
        if job.ended is not None:
            return
        job.end(self._loop.time(), outcome)
        job.sequence.abandoned = True
        self._timers.pop(job).cancel()
        if job.started is None:
            self._queue.remove(job)
        else:
            del self._running[job]
            self._thread.release(job)
            self.speed.observe(job)
        self._schedule()
        if not self._running:
            self._queue = FairQueue()  # the end of a busy period: what was served counts no more
            self._idle.set()
        self._on_end(job)

    def _announce(self) -> None:
        """Tell waiting clients their place and time if these changed, now and every few seconds."""
        self._announcing = False
        if self._announce_again:
            self._announce_again.cancel()
            self._announce_again = None
        if self._queue:
            self._announce_again = self._loop.call_later(ANNOUNCE_SECONDS, self._announce)
        left = [self.speed.seconds_left(job) for job in self._running]
        free_at = sorted(seconds for seconds in left if seconds is not None)
        self._retry_after = RETRY_SECONDS
        for position, job in enumerate(self._in_order(), start=1):
            eta = None
            if free_at:
                eta = round(free_at[0], 1)
                heapq.heapreplace(free_at, free_at[0] + (self.speed.seconds_left(job) or 0.0))
                if position == 1:
                    self._retry_after = max(1, math.ceil(eta))
            place = Queued(position, eta)
            if place != job.place:
                job.place = place
                job.emit(place)

    def _in_order(self) -> Iterator[Job]:
        """The waiting jobs as they will be served if nobody else comes."""
        queue = self._queue.copy()
        for job in self._running:
            queue.charge(job.flow, OUTPUT_WEIGHT * (self.speed.tokens_left(job) or 0), job.weight)
        while queue:
            job = queue.pop()
            tokens = self.speed.tokens_left(job) or 0
            cost = len(job.sequence.prompt) + OUTPUT_WEIGHT * tokens
            queue.charge(job.flow, cost, job.weight)
            yield job

    def _broken(self, error: Exception) -> None:
        self._closed = "The engine failed."
        failed = Failed(
            "engine_failed", "The engine failed; the service is restarting.", RETRY_SECONDS
        )
        self._fail_waiting(failed)
        for job in list(self._running):
            self._end(job, failed)
        self._on_failure(error)

    def _fail_waiting(self, failed: Failed) -> None:
        for job in list(self._in_order()):
            self._end(job, failed)
