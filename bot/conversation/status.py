"""The bot's small lines about an answer: what it waits for, and what it took."""

from bot.conversation.reply import Reply, ReplyState
from bot.conversation.texts import Texts


def status_line(reply: Reply, texts: Texts) -> str:
    """One line for a reply that has no text yet."""
    match reply.state:
        case ReplyState.LOADING:
            share = "" if reply.progress is None else f" {reply.progress:.0%}"
            return texts("loading", stage=reply.stage, progress=share)
        case ReplyState.UNAVAILABLE:
            return texts("unavailable")
        case ReplyState.QUEUED if reply.position is not None and reply.eta_seconds is not None:
            wait = texts.duration(reply.eta_seconds)
            return texts("queued_eta", position=reply.position, wait=wait)
        case ReplyState.QUEUED if reply.position is not None:
            return texts("queued", position=reply.position)
        case _:
            return texts("thinking")


def end_lines(reply: Reply, texts: Texts) -> list[str]:
    """What a person is told under an answer: that it was stopped, why it ends early."""
    stopped = [texts("stopped")] if reply.state is ReplyState.STOPPED else []
    return [*stopped, *reply.notices]


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
