"""The bot's small lines about an answer: what it waits for, and what it took."""

from collections import Counter

from bot.conversation.reply import Reply, ReplyState, Step, StepState
from bot.conversation.texts import Texts

SHOWN_STEPS = 3
"""Calls that are shown while an answer comes; all are named at its end."""


def status_line(reply: Reply, texts: Texts) -> str:
    """One line for a reply that waits: "Thinking…"."""
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
        case ReplyState.CALLING if reply.steps:
            return texts(f"{prefix}calling", call=_called(reply.steps[-1]))
        case _:
            return reply.activity or texts(f"{prefix}thinking")


def waiting_lines(reply: Reply, texts: Texts) -> list[str]:
    """What an unfinished reply waits for, and what it called lately; nothing while text comes."""
    if reply.text.strip() and (not reply.steps or reply.state is ReplyState.WRITING):
        return []
    lines = [step_line(step, texts) for step in reply.steps[-SHOWN_STEPS:]]
    return lines if reply.state is ReplyState.CALLING else [*lines, status_line(reply, texts)]


def step_line(step: Step, texts: Texts) -> str:
    """A call in one line, and how far it is."""
    key = "calling" if step.state is StepState.RUNNING else f"step_{step.state}"
    return texts(key, call=_called(step))


def _called(step: Step) -> str:
    return f"{step.tool}: {step.about}" if step.about else step.tool


def calls_line(reply: Reply, texts: Texts) -> str:
    """What was called for an answer; empty for nothing."""
    times = Counter(step.tool for step in reply.steps)
    if not times:
        return ""
    tools = ", ".join(name if n == 1 else f"{name} \u00d7{n}" for name, n in times.items())
    return texts("called", tools=tools)


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
