"""A question and its answer in a chat."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from bot.config import Effort
from bot.conversation.core import Core
from bot.conversation.events import Author, Place, Question, QuestionKey
from bot.conversation.gate import Admission
from bot.conversation.in_effect import InEffect
from bot.conversation.reply import Reply, ReplyState
from bot.storage import StorageError


class View(Protocol):
    """Shows an answer in a chat, again and again in the same place."""

    async def open(self) -> None:
        """Show at once that an answer is on its way."""

    async def follow(self, reply: Reply) -> None:
        """Show what the reply becomes; returns once its end is shown."""

    async def delete(self) -> None:
        """Take the answer away."""

    def shows(self, message: str) -> bool:
        """Whether the message with this key is one of the answer's."""
        ...

    def message_ids(self) -> list[str]:
        """The messages that show the answer so far, by the platform's ids."""
        ...

    def taken_away(self, message: str) -> None:
        """Somebody deleted a message of the answer: the rest is not wanted either."""

    async def text(self) -> str:
        """What the messages say of an answer, as it is shown."""
        ...


AQuestion = TypeVar("AQuestion")
AView = TypeVar("AView", bound=View)


class Exchange(Generic[AQuestion, AView]):
    """An answer that can be stopped, made again in place, and taken away.

    question: the platform's own; after an edit it is replaced.
    key, asker: what the question is known by, and the id of who asked.
    place: where the answer is, and whose settings it follows.
    read: reads a question and its conversation as they are now.
    """

    def __init__(
        self,
        question: AQuestion,
        key: QuestionKey,
        asker: str,
        place: Place,
        read: Callable[[AQuestion, InEffect], Awaitable[Question]],
        view: AView,
        core: Core,
    ) -> None:
        self.question = question
        self.key = key
        self.asker = asker
        self.place = place
        self.view = view
        self._read = read
        self._core = core
        self._reply: Reply | None = None
        self._stopped = False
        self._turn = 0
        self._lock = asyncio.Lock()

    async def admit(self, author: Author, effort: Effort | None = None) -> Admission:
        """Let the author have this answer made again; `effort`: that of only the new one.

        Raises NotAdmitted, StorageError.
        """
        here = (await self._core.read(self.place)).for_message(effort)
        return await self._core.admit(here, author, self.key, self.asker)

    async def answer(self, admission: Admission) -> None:
        """Answer, in place of the answer so far; returns once it is shown.

        Raises the platform's own errors, after a line about them where one can be shown.
        """
        self._abandon()
        turn = self._turn
        async with self._lock:
            try:
                if turn == self._turn:
                    await self._answer(admission, turn)
            finally:
                await admission.withdraw()  # nothing once it has ended

    async def resume(self, admission: Admission, *, again: bool) -> None:
        """Go on with an answer that an earlier run began: answer again, or say that it was cut off.

        again: whether it can and may be made again.
        """
        if again:
            await self.answer(admission)
            return
        async with self._lock:
            await self._say_cut_off(admission.here)
        await admission.end(0, 0)

    @property
    def begun(self) -> bool:
        """Whether this run of the bot began an answer: an earlier one can't be stopped any more."""
        return self._turn > 0

    @property
    def running(self) -> bool:
        """Whether an answer is being made or taken away, and has not come to its end."""
        ended = self._reply is not None and self._reply.state.final
        return self._lock.locked() and not ended

    def stop(self) -> None:
        """Stop an answer that is being written, or asked for, and keep what came."""
        self._stopped = True
        if self._reply is not None:
            self._reply.stop()

    def decide(self, call: str, *, allowed: bool) -> bool:
        """The asker decided on a call, by its key; False where it doesn't wait any more."""
        return self._reply is not None and self._reply.decide(call, allowed=allowed)

    def taken_away(self, message: str) -> None:
        """Somebody deleted a message of the answer: it is stopped, and no more of it is shown."""
        self.view.taken_away(message)
        self.stop()

    async def say_cut_off(self) -> None:
        """Say under an answer that looks as if it were being written that it was cut off."""
        here = await self._core.read(self.place)
        async with self._lock:
            await self._say_cut_off(here)

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

    async def _answer(self, admission: Admission, turn: int) -> None:
        """Show an answer, or one line that says why there is none.

        The place may be a thread that was opened since the admission: nothing is set in it yet.
        """
        self._stopped = False
        here = replace(admission.here, place=self.place)
        try:
            question = await self._ask(here, admission)
        except StorageError as error:
            await self._fail(here, self._core.storage_failed(error))
            return
        except Exception:
            await self._fail(here, here.texts("failed"))
            raise
        if turn != self._turn:
            return
        self._reply = reply = self._core.responder.answer(question, here)
        if self._stopped:
            reply.stop()
        try:
            await self.view.follow(reply)
        except Exception:
            reply.stop()
            await self._fail(here, here.texts("failed"), reply.text)
            raise
        finally:
            reply.stop()  # nobody sees the rest; nothing if it has ended
            await admission.end(reply.prompt_tokens, reply.completion_tokens)
            self._reply = None

    async def _ask(self, here: InEffect, admission: Admission) -> Question:
        """Show that an answer is on its way, while the question is read."""
        reading = asyncio.create_task(self._read_question(here))
        try:
            await self.view.open()
            if messages := self.view.message_ids():
                await admission.shown_in(self.place, messages)
            return await reading
        finally:
            reading.cancel()

    async def _read_question(self, here: InEffect) -> Question:
        return await self._read(self.question, here)

    async def _say_cut_off(self, here: InEffect) -> None:
        await self._fail(here, here.texts("cut_off_by_restart"), await self.view.text())

    async def _fail(self, here: InEffect, line: str, so_far: str = "") -> None:
        """Show why the answer fails, or ends early with the text `so_far`."""
        reply = Reply(asker=self.asker, effort=here.effort.value, show_reasoning=False)
        reply.text, reply.foreign = so_far, bool(so_far)  # what it was made from is not known
        reply.change(ReplyState.FAILED, line)
        await self.view.follow(reply)
