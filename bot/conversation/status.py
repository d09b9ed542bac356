"""The bot's small lines about an answer: what it waits for, and what it took."""

from bot.conversation.reply import Reply, ReplyState
from bot.conversation.texts import Texts


def status_line(reply: Reply, texts: Texts) -> str:
    """One line for a reply that has no text yet: "Thinking…"."""
    return _status(reply, texts, "")


def what_the_app_does(reply: Reply, texts: Texts) -> str:
    """The same as the end of a sentence about the bot: "is thinking…"."""
    return _status(reply, texts, "is_")


def _status(reply: Reply, texts: Texts, prefix: str) -> str:
    """`prefix`: of the texts' keys."""
    match reply.state:
        case ReplyState.LOADING:
            share = "" if reply.progress is None else f" {reply.progress:.0%}"
            return texts(f"{prefix}loading", stage=reply.stage, progress=share)
        case ReplyState.UNAVAILABLE:
            return texts(f"{prefix}unavailable")
        case ReplyState.QUEUED if reply.position is not None and reply.eta_seconds is not None:
            wait = texts.duration(reply.eta_seconds)
            return texts(f"{prefix}queued_eta", position=reply.position, wait=wait)
        case ReplyState.QUEUED if reply.position is not None:
            return texts(f"{prefix}queued", position=reply.position)
        case _:
            return texts(f"{prefix}thinking")


def end_lines(reply: Reply, texts: Texts) -> list[str]:
    """What a person is told under an answer: that it was stopped, why it ends early."""
    stopped = [texts("stopped")] if reply.state is ReplyState.STOPPED else []
    return [*stopped, *reply.notices]


def footer_line(reply: Reply, texts: Texts) -> str:
    """Effort and seconds of a finished reply; empty for others."""
    if reply.usage is None:
        return ""
    seconds = texts.elapsed(reply.usage.seconds)
    return texts("footer", effort=reply.effort, seconds=seconds)
