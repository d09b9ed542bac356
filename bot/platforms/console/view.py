"""How a reply looks in the terminal: a status line, then the text as it comes."""

import unicodedata

from rich.console import Console
from rich.markdown import Markdown
from rich.segment import Segment, Segments
from rich.status import Status
from rich.text import Text

from bot.conversation.reply import Reply, ReplyState
from bot.conversation.status import (
    approval_lines,
    end_lines,
    footer_line,
    receipt_lines,
    status_line,
    step_line,
)
from bot.conversation.texts import Texts
from bot.tools import Approval


class ConsoleView:
    """Shows one reply: the answer on `out`, all else on `err`."""

    def __init__(self, out: Console, err: Console, texts: Texts, *, asks: bool = False) -> None:
        """`asks`: whether a person is there who can allow calls."""
        self._asks = asks
        self._asked = ""
        self._out = out
        self._err = err
        self._texts = texts
        self._status = Status("", console=err)
        self._shown_stage = ""
        self._shown_reasoning = 0
        self._shown_text = 0
        self._shown_steps = 0

    async def follow(self, reply: Reply) -> None:
        """Show the reply as it grows; return once it is final."""
        try:
            async for _ in reply.updates():
                self._show(reply)
        finally:
            self._status.stop()
        self._end(reply)

    def _show(self, reply: Reply) -> None:
        if len(reply.reasoning) < self._shown_reasoning:  # it is tried again from the beginning
            self._shown_reasoning = 0
            write(self._err, "\n")
        for step in reply.steps[self._shown_steps :]:
            self._status.stop()
            write(self._err, f"{step_line(step, self._texts)}\n", "dim")
        self._shown_steps = len(reply.steps)
        if reply.approval is not None and reply.approval.key != self._asked:
            self._ask(reply, reply.approval)
        reasoning = reply.reasoning[self._shown_reasoning :] if reply.show_reasoning else ""
        text = reply.text[self._shown_text :]
        if reasoning or text:
            self._status.stop()
        write(self._err, reasoning, "dim")
        self._shown_reasoning += len(reasoning)
        if text and not self._shown_text:
            self._begin()
        write(self._out, text)
        self._shown_text += len(text)
        if not (self._shown_reasoning or self._shown_text or reply.state.final):
            self._wait(reply)

    def _ask(self, reply: Reply, approval: Approval) -> None:
        """Show a call that waits for the person; where nobody can be asked, it isn't allowed."""
        self._asked = approval.key
        self._status.stop()
        for line in filter(None, approval_lines(approval, self._texts)):
            write(self._err, f"{line}\n", "yellow")
        if self._asks:
            write(self._err, f"{self._texts('approval_typed')}\n", "yellow")
        else:
            reply.decide(approval.key, allowed=False)

    def _wait(self, reply: Reply) -> None:
        """Tell what a reply without any text waits for; in a pipe each stage of loading once."""
        if self._err.is_terminal:
            self._status.update(Text(status_line(reply, self._texts), style="dim"))
            self._status.start()
        elif reply.state is ReplyState.LOADING and reply.stage != self._shown_stage:
            self._shown_stage = reply.stage
            write(self._err, self._texts("loading", stage=reply.stage, progress="") + "\n")
        elif reply.state is ReplyState.UNAVAILABLE and self._shown_stage != "unavailable":
            self._shown_stage = "unavailable"
            write(self._err, status_line(reply, self._texts) + "\n")

    def _begin(self) -> None:
        if self._shown_reasoning:
            write(self._err, "\n\n")
        if self._out.is_terminal:
            write(self._out, "bot ", "bold green")

    def _end(self, reply: Reply) -> None:
        if self._shown_text:
            write(self._out, "\n")
        elif self._shown_reasoning:
            write(self._err, "\n")
        for notice in end_lines(reply, self._texts):
            write(self._err, f"{notice}\n", "yellow")
        for title, url in reply.sources:
            write(self._err, f"{title}: {url}\n", "dim")
        for line in receipt_lines(reply, self._texts):
            write(self._err, f"{line}\n", "dim")
        if self._out.is_terminal and (footer := footer_line(reply, self._texts)):
            write(self._out, f"{footer}\n", "dim")
        if self._shown_text or self._out.is_terminal:
            write(self._out, "\n")


def print_answer(out: Console, text: str) -> None:
    """A command's answer: Markdown in a terminal, plain in a pipe."""
    if out.is_terminal:
        out.print(Markdown(_printable(text)))
        write(out, "\n")
    else:
        write(out, f"{text}\n\n")


def write(console: Console, text: str, style: str = "") -> None:
    """Text as it is: no markup, no wrapping, tabs and spaces kept; only control characters go."""
    if text:
        segment = Segment(_printable(text), console.get_style(style))
        console.print(Segments([segment]), end="", soft_wrap=True)


def _printable(text: str) -> str:
    """Without control characters, so that a model can't send the terminal escape sequences."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
