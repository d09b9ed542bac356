"""How replies look in a pipe and in a terminal, whatever the pace at which they change."""

from io import StringIO
from typing import Any

from rich.console import Console

from bot.config import Config, Effort
from bot.conversation.reply import Reply, ReplyState
from bot.conversation.texts import Texts
from bot.platforms.console.view import ConsoleView


class Screen:
    """One reply shown; `out` and `err` are what was written."""

    def __init__(self, **options: Any) -> None:
        self.reply = Reply(asker="1", effort=Effort.LOW, show_reasoning=True)
        self._out = Console(file=StringIO(), highlight=False, width=40, **options)
        self._err = Console(file=StringIO(), highlight=False, width=40, **options)
        self.view = ConsoleView(self._out, self._err, Texts(Config(), "en"))

    @property
    def out(self) -> str:
        return self._out.file.getvalue()  # type: ignore[attr-defined, no-any-return]

    @property
    def err(self) -> str:
        return self._err.file.getvalue()  # type: ignore[attr-defined, no-any-return]


async def test_reasoning_that_came_together_with_text_is_shown_before_it() -> None:
    screen = Screen()
    screen.reply.reasoning, screen.reply.text = "Because.", "So."
    screen.reply.change(ReplyState.DONE)
    await screen.view.follow(screen.reply)
    assert (screen.err, screen.out) == ("Because.\n\n", "So.\n\n")


async def test_reasoning_of_a_second_try_is_shown_from_its_beginning() -> None:
    screen = Screen()
    updates = screen.reply.updates()
    screen.reply.reasoning = "Because of that"
    screen.reply.change(ReplyState.THINKING)
    screen.view._show(await anext(updates))
    screen.reply.reasoning = "Since"
    screen.reply.change(ReplyState.STOPPED)
    await screen.view.follow(screen.reply)
    assert screen.err == "Because of that\nSince\nStopped.\n"


async def test_notices_are_one_line_each_however_narrow_the_window_is() -> None:
    screen = Screen()
    screen.reply.text = "[bold]Half an ans"
    notice = "The answer was [cut off] because the service has gone away for good."
    screen.reply.change(ReplyState.FAILED, notice)
    await screen.view.follow(screen.reply)
    assert (screen.err, screen.out) == (f"{notice}\n", "[bold]Half an ans\n\n")


async def test_an_answer_without_text_leaves_standard_output_empty() -> None:
    screen = Screen()
    screen.reply.change(ReplyState.FAILED, "No.")
    await screen.view.follow(screen.reply)
    assert (screen.err, screen.out) == ("No.\n", "")


async def test_a_terminal_tells_who_speaks() -> None:
    screen = Screen(force_terminal=True, color_system=None)
    screen.reply.text = "Hi."
    screen.reply.change(ReplyState.DONE)
    await screen.view.follow(screen.reply)
    assert screen.out == "bot Hi.\n\n"
