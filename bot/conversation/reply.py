"""A reply while it is made: queued → thinking → calling → writing → done, stopped or failed.

The responder changes it; a platform's view follows it with `updates()`, at its own pace: a view
that looks rarely sees only the latest state, and always the last one.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.config import Effort
from bot.tools import Approval, Receipt

APPROVAL_SECONDS = 600.0
"""How long a call waits for its asker."""


class ReplyState(StrEnum):
    """The first three wait, the next three run, the others are final."""

    LOADING = "loading"
    UNAVAILABLE = "unavailable"
    QUEUED = "queued"
    THINKING = "thinking"
    CALLING = "calling"
    WRITING = "writing"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        return self in (ReplyState.DONE, ReplyState.STOPPED, ReplyState.FAILED)


@dataclass(frozen=True)
class TokenCounts:
    """Token counts of a finished reply, and the seconds from question to last token.

    cached_tokens: those of the prompt that the service had read before.
    """

    prompt_tokens: int
    reasoning_tokens: int
    answer_tokens: int
    seconds: float
    cached_tokens: int = 0


class StepState(StrEnum):
    """How far a call is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass
class Step:
    """A call that the model made, as the person sees it.

    about: what it is about, such as the expression that is calculated.
    output: what came of it, in a few words.
    """

    id: str
    tool: str
    about: str = ""
    state: StepState = StepState.RUNNING
    output: str = ""


class Reply:
    """What the person sees of an answer, at this moment."""

    def __init__(self, *, asker: str, effort: Effort, show_reasoning: bool) -> None:
        self.asker = asker
        self.effort = effort
        self.show_reasoning = show_reasoning
        self.state = ReplyState.QUEUED
        self.position: int | None = None
        self.eta_seconds: float | None = None
        self.stage: str = ""
        self.progress: float | None = None
        self.activity = ""
        """What is done before there is text, where that isn't only to think; a line."""
        self.reasoning = ""
        self.text = ""
        self.first_text_at: float | None = None
        """When the first reasoning or text came, by the monotonic clock."""
        self.steps: list[Step] = []
        self.approval: Approval | None = None
        """The call that waits for the asker."""
        self.sources: list[tuple[str, str]] = []
        """Titles and addresses of the pages that it is made from."""
        self.foreign = False
        """Whether it is made from what others wrote, who may give orders in it."""
        self.receipt = Receipt()
        self.notices: list[str] = []
        """Lines for the person about this answer, such as why it ends early."""
        self.usage: TokenCounts | None = None
        self.prompt_tokens = 0
        self.completion_tokens = 0
        """What it took so far: counted by the pieces that came, until the service tells."""
        self._decision: asyncio.Future[bool] | None = None
        self._abandoned = False
        self._stop = asyncio.Event()
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()

    def stop(self) -> None:
        """Ask for the end of this reply, wherever it is."""
        self._stop.set()

    def abandon(self) -> None:
        """Stop, and show nothing more of it: something else takes its place."""
        self._abandoned = True
        self._stop.set()
        self._ended.set()
        self._changed.set()

    async def stop_requested(self) -> None:
        """Return once somebody asked to stop."""
        await self._stop.wait()

    def change(self, state: ReplyState, notice: str | None = None) -> None:
        """Enter `state` (or stay in it) and tell the view; a final state is never left."""
        if self.state.final:
            return
        self.state = state
        if notice:
            self.notices.append(notice)
        if state.final:
            self._ended.set()
        self._changed.set()

    async def ask(self, approval: Approval) -> bool:
        """Let the asker decide on a call; no answer within APPROVAL_SECONDS is a no."""
        self.approval, self._decision = approval, asyncio.get_running_loop().create_future()
        self.change(ReplyState.CALLING)
        try:
            async with asyncio.timeout(APPROVAL_SECONDS):
                return await self._decision
        except TimeoutError:
            return False
        finally:
            self.approval = self._decision = None
            self.change(ReplyState.CALLING)

    def decide(self, key: str, *, allowed: bool) -> bool:
        """The asker decided on the call with this key; False where it doesn't wait any more."""
        if self.approval is None or self._decision is None or self.approval.key != key:
            return False
        if not self._decision.done():
            self._decision.set_result(allowed)
        return True

    async def ended(self) -> None:
        """Return once the reply is final or abandoned."""
        await self._ended.wait()

    async def goes_on_after(self, turn: Coroutine[Any, Any, None]) -> bool:
        """Wait for the view's turn, at most until the reply is final or abandoned: False then."""
        tasks = [asyncio.create_task(turn), asyncio.create_task(self.ended())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        return not self._ended.is_set()

    async def updates(self) -> AsyncIterator["Reply"]:
        """Yield after every change, several changes as one; ends after the final state.

        An abandoned reply ends at once.
        """
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._abandoned:
                return
            final = self.state.final
            yield self
            if final:
                return
