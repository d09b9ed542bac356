"""A question and its answer in a chat."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from bot.config import Effort
from bot.conversation.core import Core
from bot.conversation.events import Place, Question
from bot.conversation.in_effect import InEffect
from bot.conversation.reply import Reply
from bot.storage import StorageError


class View(Protocol):
    """Shows an answer in a chat, again and again in the same place."""

    async def open(self) -> None:
        """Show at once that an answer is on its way."""

    async def follow(self, reply: Reply) -> None:
        """Show what the reply becomes; returns once its end is shown."""

    async def fail(self, line: str) -> None:
        """Show why there is no answer."""

    async def delete(self) -> None:
        """Take the answer away."""

    def shows(self, message: str) -> bool:
        """Whether the message with this key is one of the answer's."""
        ...


AQuestion = TypeVar("AQuestion")
AView = TypeVar("AView", bound=View)


class Exchange(Generic[AQuestion, AView]):
    """An answer that can be stopped, made again in place, and taken away.

    question: the platform's own; after an edit it is replaced.
    asker: the id of who asked.
    place: where the answer is, and whose settings it follows.
    read: reads a question and its conversation as they are now.
    """

    def __init__(
        self,
        question: AQuestion,
        asker: str,
        place: Place,
        read: Callable[[AQuestion, InEffect], Awaitable[Question]],
        view: AView,
        core: Core,
    ) -> None:
        self.question = question
        self.asker = asker
        self.place = place
        self.view = view
        self._read = read
        self._core = core
        self._reply: Reply | None = None
        self._stopped = False
        self._turn = 0
        self._lock = asyncio.Lock()

    async def answer(self, effort: Effort | None = None, here: InEffect | None = None) -> None:
        """Answer, in place of the answer so far; returns once it is shown.

        effort: the effort of only this answer; None: the usual one.
        here: what is in effect, where that was just read. The place may be a thread that was
            opened since: nothing is set in it yet.
        """
        self._abandon()
        turn = self._turn
        async with self._lock:
            if turn == self._turn:
                await self._answer(effort, here, turn)

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

    async def _answer(self, effort: Effort | None, here: InEffect | None, turn: int) -> None:
        self._stopped = False
        try:
            _, (question, here) = await asyncio.gather(self.view.open(), self._ask(effort, here))
        except StorageError as error:
            await self.view.fail(self._core.storage_failed(error))
            return
        if turn != self._turn:
            return
        self._reply = reply = self._core.responder.answer(question, here)
        if self._stopped:
            reply.stop()
        try:
            await self.view.follow(reply)
        finally:
            reply.stop()  # nobody sees the rest; nothing if it has ended
            self._reply = None

    async def _ask(self, effort: Effort | None, here: InEffect | None) -> tuple[Question, InEffect]:
        """The question as it is now, and what is in effect for it."""
        here = here or await self._core.read(self.place)
        here = replace(here, place=self.place).for_message(effort)
        return await self._read(self.question, here), here
