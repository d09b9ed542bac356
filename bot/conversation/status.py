"""The bot's small lines about an answer: what it waits for, and what it cost."""

from collections import Counter

from bot.conversation.reply import Reply, ReplyState, Step, StepState
from bot.conversation.texts import Texts
from bot.tools import Approval, Receipt

SHOWN_ARGUMENTS = 1000
"""Characters of a call's arguments that the asker sees before they allow it."""
SHOWN_HOSTS = 8
APOSTROPHE = "\u02bc"
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
    if reply.approval is not None:
        return approval_lines(reply.approval, texts)
    if reply.text.strip() and (not reply.steps or reply.state is ReplyState.WRITING):
        return []
    lines = [step_line(step, texts) for step in reply.steps[-SHOWN_STEPS:]]
    return lines if reply.state is ReplyState.CALLING else [*lines, status_line(reply, texts)]


def step_line(step: Step, texts: Texts) -> str:
    """A call in one line, and how far it is."""
    key = "calling" if step.state is StepState.RUNNING else f"step_{step.state}"
    call = f"{step.tool}: {as_code(step.about)}" if step.about else step.tool
    return texts(key, call=call)


def approval_lines(approval: Approval, texts: Texts) -> list[str]:
    """What the asker is asked, with all that would be handed on, as far as there is room."""
    arguments = approval.arguments
    left_out = len(arguments) - SHOWN_ARGUMENTS
    more = texts("approval_more", count=left_out) if left_out > 0 else ""
    question = texts(f"approval_{approval.reason}", tool=approval.tool)
    return [question, as_code(arguments[:SHOWN_ARGUMENTS]), more]


def as_code(text: str) -> str:
    """A line in which nothing is a link, whose preview a platform would fetch, or pings anybody."""
    return f"`{text.replace('`', APOSTROPHE)}`" if text else ""


def receipt_lines(reply: Reply, texts: Texts) -> list[str]:
    """What left for an answer; nothing where nothing did."""
    if not reply.receipt:
        return []
    return [texts("receipt", what=receipt_text(reply.receipt, texts))]


def receipt_text(receipt: Receipt, texts: Texts) -> str:
    """Hosts, by which tools, and how many bytes."""
    sent = [
        texts("receipt_host", host=host, tools=", ".join(sorted(one.tools)), size=size(one.bytes))
        for host, one in receipt
    ]
    rest = len(sent) - SHOWN_HOSTS
    return "; ".join(sent[:SHOWN_HOSTS]) + (f"; +{rest}" if rest > 0 else "")


def size(count: int) -> str:
    """A number of bytes as people read it: `612 B`, `12 KB`."""
    return f"{count} B" if count < 10_000 else f"{count // 1000} KB"


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
