"""A conversation in the terminal, typed or piped."""

import asyncio
import getpass
import signal
import sys
from functools import cached_property
from itertools import count

from prompt_toolkit import PromptSession
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import InMemoryHistory
from rich.console import Console

from bot.conversation.commands import is_command
from bot.conversation.core import Core
from bot.conversation.events import Author, Message, Place, Question
from bot.conversation.reply import Reply, ReplyState
from bot.platforms.console.lines import StdinLines
from bot.platforms.console.view import ConsoleView, print_answer

MENTION = "@bot"
PROMPT = ANSI("\x1b[1;34myou\x1b[0m ")
PLACE = Place("console", "console", "terminal")
BOT = Author("bot", "bot", is_bot=True)


class ConsolePlatform:
    """Typed lines are messages in a channel of which the person is the administrator.

    Ctrl-C stops the answer; a second one leaves, as the end of the input does.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._interactive = sys.stdin.isatty() and sys.stdout.isatty()
        self._out = Console(highlight=False)
        self._err = Console(stderr=True, highlight=False)
        self._lines = StdinLines()
        self._person = Author("local", _user_name(), moderator=True, admin=True)
        self._history: list[Message] = []
        self._ids = map(str, count(1))
        self._reply: Reply | None = None
        self._interrupted = False
        self._leave = asyncio.Event()
        self.failed = False
        """Whether an answer failed: a piped conversation then ends with an error."""

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        try:
            if self._interactive:
                self._welcome()
            while (line := await self._next_line()) is not None:
                self._interrupted = False
                await self._take(line)
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    def stop(self) -> None:
        self._leave.set()

    async def forget(self) -> None:
        self._history.clear()

    def _welcome(self) -> None:
        self._out.print(
            f"[bold]gptoss-bot[/bold] with [cyan]{self._core.client.model}[/cyan]"
            " · /help lists the commands · Ctrl-D leaves\n"
        )

    def _interrupt(self) -> None:
        if self._reply is not None:
            self._reply.stop()
        if self._interrupted:
            self.stop()
        elif self._reply is None:
            self._err.print("Ctrl-C again leaves.", style="dim")
        self._interrupted = True

    async def _next_line(self) -> str | None:
        """The next line that was typed or piped; None at the input's end or when stopped."""
        reading = asyncio.create_task(self._read_line())
        leaving = asyncio.create_task(self._leave.wait())
        try:
            await asyncio.wait({reading, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return None if leaving.done() else reading.result()
        finally:
            reading.cancel()
            leaving.cancel()
            await asyncio.wait({reading, leaving})

    async def _read_line(self) -> str | None:
        if not self._interactive or self._lines.waiting:
            with self._lines.reading():
                return await self._lines.next()
        while True:
            try:
                return await self._prompt.prompt_async(PROMPT)
            except KeyboardInterrupt:
                self._interrupt()
            except EOFError:
                return None

    @cached_property
    def _prompt(self) -> PromptSession[str]:
        # The history of typed lines stays in memory: no message text is written to disk.
        return PromptSession(history=InMemoryHistory())

    async def _take(self, line: str) -> None:
        text = line.strip()
        if text.lower().startswith(MENTION):
            text = text[len(MENTION) :].lstrip(" ,:")
        if is_command(text):
            print_answer(self._out, await self._core.command(text, PLACE, self._person, self))
        elif text:
            await self._ask(text)

    async def _ask(self, text: str) -> None:
        message = Message(next(self._ids), self._person, text)
        reply = await self._core.responder.answer(Question(PLACE, message, tuple(self._history)))
        self._reply = reply
        view = ConsoleView(self._out, self._err, await self._core.texts(PLACE))
        commands = asyncio.create_task(self._take_commands())
        try:
            await view.follow(reply)
        finally:
            commands.cancel()
            self._reply = None
        self.failed |= reply.state is ReplyState.FAILED
        self._history.append(message)
        if reply.text:
            self._history.append(Message(next(self._ids), BOT, reply.text))

    async def _take_commands(self) -> None:
        """Carry out commands typed during an answer; other lines wait for its end."""
        if not self._interactive:
            return
        with self._lines.reading():
            while (
                line := await self._lines.next(lambda line: is_command(line.strip()))
            ) is not None:
                await self._take(line)


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a passwd entry
        return "you"
