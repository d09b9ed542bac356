"""A question and its answer in a chat."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import structlog

from bot.config import Effort
from bot.conversation.events import Message, Question
from bot.conversation.reply import Reply
from bot.conversation.responder import Responder
from bot.storage import StorageError

log = structlog.get_logger()


@dataclass(frozen=True)
class Asked:
    """A question, and lines for the person about it: what could not be read, say."""

    question: Question
    notices: list[str]


@dataclass(frozen=True)
class Read:
    """A message as the core has it, and a line about each attachment that could not be read."""

    message: Message
    notices: list[str]


class View(Protocol):
    """Shows an answer in a chat, again and again in the same place."""

    async def open(self) -> None:
        """Show at once that an answer is on its way."""

    async def follow(self, reply: Reply) -> None:
        """Show what the reply becomes; returns once its end is shown."""

    async def fail(self) -> None:
        """Show that the question could not be asked."""

    async def delete(self) -> None:
        """Take the answer away."""


AQuestion = TypeVar("AQuestion")
AView = TypeVar("AView", bound=View)


class Exchange(Generic[AQuestion, AView]):
    """An answer that can be stopped, made again in place, and taken away.

    `question` is the platform's own; after an edit it is replaced. `ask` reads it and its
    conversation as they are now, for an answer at an effort of its own or at the usual one.
    """

    def __init__(
        self,
        question: AQuestion,
        ask: Callable[[AQuestion, Effort | None], Awaitable[Asked]],
        view: AView,
        responder: Responder,
    ) -> None:
        self.question = question
        self.view = view
        self._ask = ask
        self._responder = responder
        self._reply: Reply | None = None
        self._stopped = False
        self._turn = 0
        self._lock = asyncio.Lock()

    async def answer(self, effort: Effort | None = None) -> None:
        """Answer, in place of the answer so far; returns once it is shown."""
        self._abandon()
        turn = self._turn
        async with self._lock:
            if turn == self._turn:
                await self._answer(effort, turn)

    def stop(self) -> None:
        """Stop an answer that is being written, or asked for, and keep what came."""
        self._stopped = True
        if self._reply is not None:
            self._reply.stop()

    async def delete(self) -> None:
        """Stop and take the answer away."""
        self._abandon()
        async with self._lock:
            await self.view.delete()

    def _abandon(self) -> None:
        """End what is going on, wherever it is: something else takes its place."""
        self._turn += 1
        if self._reply is not None:
            self._reply.abandon()

    async def _answer(self, effort: Effort | None, turn: int) -> None:
        self._stopped = False
        try:
            _, asked = await asyncio.gather(self.view.open(), self._ask(self.question, effort))
            if turn != self._turn:
                return
            reply = await self._responder.answer(asked.question)
        except StorageError as error:
            log.error("a question could not be asked", error=str(error))
            await self.view.fail()
            return
        self._reply = reply
        reply.notices.extend(asked.notices)
        if turn != self._turn:
            reply.abandon()
        elif self._stopped:
            reply.stop()
        try:
            await self.view.follow(reply)
        finally:
            reply.stop()  # nobody sees the rest; nothing if it has ended
            self._reply = None
