"""A conversation in the terminal, typed or piped."""

import asyncio
import getpass
import os
import re
import sys
from collections.abc import Coroutine
from contextlib import nullcontext, suppress
from datetime import datetime
from functools import cached_property
from io import TextIOWrapper
from itertools import count
from typing import Any, TypeVar

from prompt_toolkit import PromptSession
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console

from bot.conversation.commands import CommandError, is_command, typed_call
from bot.conversation.core import Core
from bot.conversation.events import Author, Message, Place, Question, QuestionKey
from bot.conversation.gate import NotAdmitted
from bot.conversation.in_effect import InEffect
from bot.conversation.reply import Reply, ReplyState
from bot.conversation.texts import Texts
from bot.platforms.console.lines import StdinLines
from bot.platforms.console.model_loading import show_loading
from bot.platforms.console.view import ConsoleView, print_answer, write
from bot.storage import StorageError

T = TypeVar("T")

MENTION = re.compile(r"^@bot(?![\w-])[ ,:]*", re.IGNORECASE)
PROMPT = ANSI("\x1b[1;34myou\x1b[0m ")
PLACE = Place("console", "console", "terminal", local=True)
YES = ("y", "yes", "j", "ja")
BOT = Author("bot", "bot", is_bot=True)


class ConsolePlatform:
    """Typed lines are messages in a channel of which the person is the administrator."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._interactive = sys.stdin.isatty() and sys.stdout.isatty()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="replace")  # the locale may have no emoji
        self._out = _Console(highlight=False)
        self._err = _Console(stderr=True, highlight=False)
        self._lines = StdinLines()
        self._person = Author("local", _user_name(), moderator=True, admin=True)
        self._history: list[Message] = []
        self._ids = map(str, count(1))
        self._reply: Reply | None = None
        self._again: str | None = None
        """The question that is to be asked again."""
        self._interrupted = False
        self._leaving: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failed = False
        """Whether an answer failed in a piped conversation, which then ends with an error."""

    async def run(self) -> None:
        if self._interactive:
            await _unless(self._leaving, self._welcome())
        with suppress(BrokenPipeError):  # who read the answers has gone, as `head` does
            while (line := await self._next_line()) is not None:
                self._interrupted = False
                await self._take(line)

    def stop(self) -> None:
        if not self._leaving.done():
            self._leaving.set_result(None)

    def interrupt(self) -> None:
        """Ctrl-C: stop the answer; the second one in a row leaves, as the input's end does."""
        if self._reply is not None:
            self._reply.stop()
        if self._interrupted:
            self.stop()
        elif self._reply is None:
            write(self._err, "Ctrl-C again leaves.\n", "dim")
        self._interrupted = True

    async def start_over(self) -> None:
        self._history = []  # a running answer goes on adding to the list that is forgotten

    async def is_of(self, person: str) -> bool:
        return person == self._person.id

    async def regenerate(self, author: Author) -> bool:
        asked = [message for message in self._history if not message.author.is_bot]
        if self._reply is not None or not asked:
            return False
        self._history = self._history[: self._history.index(asked[-1])]
        self._again = asked[-1].text
        return True

    async def attached(self, here: InEffect) -> tuple[str, bytes] | None:
        return None

    async def summarize(
        self, here: InEffect, author: Author, since: datetime | None, channel: str
    ) -> None:
        raise CommandError(here.texts("summary_not_here"))

    async def _welcome(self) -> None:
        self._out.print(
            f"[bold]gptoss-bot[/bold] with [cyan]{self._core.client.model}[/cyan]"
            " · /help lists the commands · Ctrl-D leaves\n"
        )
        if self._err.is_terminal:
            await show_loading(self._core.client, self._err)

    async def _next_line(self) -> str | None:
        """The next line that was typed or piped; None at the input's end or when stopped."""
        line = await _unless(self._leaving, self._read_line())
        return None if self._leaving.done() else line

    async def _read_line(self) -> str | None:
        if not self._interactive:
            with self._lines.reading():
                return await self._lines.next()
        if self._lines.waiting:  # typed during the answer before
            line = await self._lines.next()
            if line is not None:
                write(self._out, "you ", "bold blue")
                write(self._out, f"{line}\n")
            return line
        while True:
            try:
                # What is logged meanwhile appears above the prompt.
                with patch_stdout(raw=True) if self._err.is_terminal else nullcontext():
                    return await self._prompt.prompt_async(PROMPT, handle_sigint=False)
            except KeyboardInterrupt:
                self.interrupt()
            except EOFError:
                return None

    @cached_property
    def _prompt(self) -> PromptSession[str]:
        # The history of typed lines stays in memory: no message text is written to disk.
        return PromptSession(history=InMemoryHistory())

    async def _take(self, line: str) -> None:
        try:
            await self._hear(_text_of(line))
        except (CommandError, NotAdmitted, StorageError) as error:
            print_answer(self._out, self._core.explained(error))

    async def _hear(self, text: str) -> None:
        if not text:
            return
        here = await self._core.read(PLACE)
        call = typed_call(text, here.texts)
        if call is None:
            await self._ask(text, here)
            return
        result = await self._core.run(call, self._core.context(here, self._person, self))
        print_answer(self._out, result.text)
        if self._again is not None:
            again, self._again = self._again, None
            await self._ask(again, await self._core.read(PLACE))

    async def _ask(self, text: str, here: InEffect) -> None:
        history = self._history
        message = Message(next(self._ids), self._person, text)
        key = QuestionKey("console", message.id)
        admission = await self._core.admit(here, self._person, key, self._person.id)
        view = ConsoleView(self._out, self._err, here.texts, asks=self._interactive)
        reply = self._core.responder.answer(Question(message, tuple(history)), here)
        self._reply = reply
        following = asyncio.create_task(view.follow(reply))
        try:
            if self._interactive:
                await self._take_commands(following, reply, here.texts)
            await following
        finally:
            self._reply = None
            reply.stop()  # nobody sees the rest; nothing if it has ended
            await admission.end(reply.prompt_tokens, reply.completion_tokens)
        self.failed |= reply.state is ReplyState.FAILED and not self._interactive
        history.append(message)
        if reply.text:
            history.append(Message(next(self._ids), BOT, reply.text, foreign=reply.foreign))

    async def _take_commands(
        self, following: asyncio.Task[None], reply: Reply, texts: Texts
    ) -> None:
        """Carry out commands typed during an answer, and decide on calls that wait for the person.

        Other lines wait for the answer's end.
        """

        def wanted(line: str) -> bool:
            return reply.approval is not None or is_command(_text_of(line), texts)

        with self._lines.reading():
            while (line := await _unless(following, self._lines.next(wanted))) is not None:
                if reply.approval is not None and not is_command(_text_of(line), texts):
                    reply.decide(reply.approval.key, allowed=_text_of(line).lower() in YES)
                else:
                    await self._take(line)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Raise the BrokenPipeError that is being handled; rich would end the whole process."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())  # for what is buffered
        raise


def _text_of(line: str) -> str:
    """What is said in a line, without `@bot` before it."""
    return MENTION.sub("", line.strip(), count=1)


async def _unless(ended: asyncio.Future[Any], work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`; None if `ended` comes first, which cancels the work."""
    if ended.done():
        work.close()
        return None
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        await asyncio.wait({task})


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a passwd entry
        return "you"
