"""One request on its way through the scheduler, and the events that its client reads."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from uuid import uuid4

from bot.inference.engines.base import Sequence
from bot.inference.text.delta import Delta
from bot.inference.text.generation import Generation


@dataclass(frozen=True)
class Queued:
    """The request waits. `position` 1 is next; `eta_seconds` is None while no speed is known."""

    position: int
    eta_seconds: float | None


@dataclass(frozen=True)
class Started:
    """The request has a slot and its prefill begins."""


@dataclass(frozen=True)
class Usage:
    """Tokens of a request. `cached_tokens` are of the prompt, `reasoning_tokens` of the answer."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int


@dataclass(frozen=True)
class Finished:
    """The answer is complete. `reason` is `stop`, or `length` when `max_tokens` were used up."""

    reason: str
    usage: Usage


@dataclass(frozen=True)
class Failed:
    """The request ends without a complete answer.

    `code` is `deadline_exceeded`, `shutting_down` or `engine_failed`. `retry_after` is in seconds,
    None where another try may end as this one did.
    """

    code: str
    message: str
    retry_after: int | None = None


Event = Queued | Started | Delta | Finished | Failed


@dataclass(eq=False)
class Job:
    """A request: iterate over it for its events, inside `with`, which cancels it at its end.

    `request_id` joins log lines and spans. `flow` is (server, user), and `weight` the server's, in
    the fair queue. Times are the event loop's clock in seconds. While the job runs, only the
    engine's thread touches `sequence` and `generation`.
    """

    request_id: str
    flow: tuple[str, str]
    weight: float
    effort: str | None
    max_tokens: int
    sequence: Sequence
    generation: Generation
    submitted: float
    on_cancel: Callable[["Job"], None]

    started: float | None = None
    first_token: float | None = None
    last_token: float = 0.0
    ended: float | None = None
    tokens: int = 0
    """Tokens produced so far, as far as the event loop knows."""
    outcome: Finished | Failed | None = None
    """How it ended; None before, and when it was cancelled."""
    calls_id: str = field(default_factory=lambda: uuid4().hex[:16])
    """In the ids of its tool calls."""
    place: Queued | None = None
    """What a waiting client was told last."""

    _unread: deque[Event] = field(default_factory=deque)
    _readable: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def finished(self) -> bool:
        return isinstance(self.outcome, Finished)

    @property
    def outcome_name(self) -> str:
        """How it ended, in the words of vLLM's metrics: stop, length, abort or error."""
        match self.outcome:
            case Finished(reason):
                return reason
            case Failed():
                return "error"
            case None:
                return "abort"

    @property
    def usage(self) -> Usage:
        generation = self.generation
        return Usage(
            prompt_tokens=len(self.sequence.prompt),
            cached_tokens=self.sequence.cached_tokens,
            completion_tokens=generation.completion_tokens,
            reasoning_tokens=generation.reasoning_tokens,
        )

    def emit(self, event: Event) -> None:
        """Send `event` to the client; merges it with what a slow client has not read yet."""
        match self._unread[-1] if self._unread else None, event:
            case Delta() as last, Delta():
                self._unread[-1] = last + event
            case Queued(), Queued():
                self._unread[-1] = event
            case _:
                self._unread.append(event)
        self._readable.set()

    def cancel(self) -> None:
        """End the job in whatever state it is; does nothing if it has ended."""
        self.on_cancel(self)

    def end(self, now: float, outcome: Finished | Failed | None) -> None:
        """Record how it ended and send that as its last event; None sends nothing more."""
        self.ended = now
        self.outcome = outcome
        if outcome:
            self.emit(outcome)
        self._readable.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._unread:
            if self.ended is not None:
                raise StopAsyncIteration
            self._readable.clear()
            await self._readable.wait()
        return self._unread.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel()
