"""How a reply looks in the terminal: a status line, then the text as it comes."""

from rich.console import Console
from rich.markdown import Markdown
from rich.status import Status
from rich.text import Text

from bot.conversation.reply import Reply, ReplyState
from bot.conversation.texts import Texts


class ConsoleView:
    """Shows one reply. In a pipe, only the answer's text goes to standard output."""

    def __init__(self, out: Console, err: Console, texts: Texts) -> None:
        self._out = out
        self._err = err
        self._texts = texts
        self._status = Status("", console=err)
        self._shown_reasoning = 0
        self._shown_text = 0

    async def follow(self, reply: Reply) -> None:
        """Show the reply as it grows; return once it is final."""
        try:
            async for _ in reply.updates():
                self._show(reply)
        finally:
            self._status.stop()
        self._end(reply)

    def _show(self, reply: Reply) -> None:
        if reply.state is ReplyState.THINKING and reply.show_reasoning:
            self._status.stop()
            self._write(self._err, reply.reasoning[self._shown_reasoning :], "dim")
            self._shown_reasoning = len(reply.reasoning)
        elif reply.text[self._shown_text :]:
            self._status.stop()
            if not self._shown_text:
                self._begin(reply)
            self._write(self._out, reply.text[self._shown_text :])
            self._shown_text = len(reply.text)
        elif not self._shown_text and self._err.is_terminal:
            self._status.update(Text(status_line(reply, self._texts), style="dim"))
            self._status.start()

    def _begin(self, reply: Reply) -> None:
        if self._shown_reasoning:
            self._err.print()
        if self._out.is_terminal:
            self._out.print("bot ", end="", style="bold green")

    def _end(self, reply: Reply) -> None:
        if self._shown_text:
            self._out.print()
        if reply.state is ReplyState.STOPPED:
            self._err.print(self._texts("stopped"), style="yellow")
        for notice in reply.notices:
            self._err.print(notice, style="yellow", highlight=False)
        if self._out.is_terminal and (footer := footer_line(reply, self._texts)):
            self._out.print(footer, style="dim", highlight=False)
        self._out.print()

    def _write(self, console: Console, text: str, style: str | None = None) -> None:
        """Text exactly as it is: no markup, no wrapping, no highlighting."""
        console.print(Text(_printable(text)), style=style, end="", soft_wrap=True, highlight=False)
        console.file.flush()


def print_answer(out: Console, text: str) -> None:
    """A command's answer: Markdown in a terminal, plain in a pipe."""
    if out.is_terminal:
        out.print(Markdown(text))
    else:
        out.print(Text(text), soft_wrap=True)
    out.print()


def status_line(reply: Reply, texts: Texts) -> str:
    """One line for a reply that has no text yet."""
    match reply.state:
        case ReplyState.LOADING:
            share = "" if reply.progress is None else f" {reply.progress:.0%}"
            return texts("loading", stage=reply.stage, progress=share)
        case ReplyState.QUEUED if reply.position is not None and reply.eta_seconds is not None:
            wait = texts.duration(reply.eta_seconds)
            return texts("queued_eta", position=reply.position, wait=wait)
        case ReplyState.QUEUED if reply.position is not None:
            return texts("queued", position=reply.position)
        case _:
            return texts("thinking")


def footer_line(reply: Reply, texts: Texts) -> str:
    """Effort, tokens and seconds of a finished reply; empty for others."""
    if reply.usage is None:
        return ""
    return texts(
        "footer_reasoning" if reply.usage.reasoning_tokens else "footer",
        effort=reply.effort,
        reasoning_tokens=reply.usage.reasoning_tokens,
        answer_tokens=reply.usage.answer_tokens,
        seconds=f"{reply.usage.seconds:.1f} s",
    )


def _printable(text: str) -> str:
    """Without control characters, so that a model can't send the terminal escape sequences."""
    return "".join(c for c in text if c.isprintable() or c in "\n\t")
