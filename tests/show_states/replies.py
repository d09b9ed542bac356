"""Replies in every state that an answer can be in."""

from collections.abc import Iterator

from bot.config import Effort
from bot.conversation.catching_up import LINK_LABEL
from bot.conversation.reply import Reply, ReplyState, Step, StepState, TokenCounts
from bot.conversation.texts import Texts
from bot.tools.approval import Approval, ApprovalReason
from bot.tools.receipt import Receipt

QUESTION = "Why is the sky blue?"
ANSWER = """\
Sunlight holds **all colours**. Air scatters short waves more than long ones, so blue light \
reaches you from everywhere:

| Colour | Wavelength | Scattered |
|:--|--:|--:|
| blue | 450 nm | 4.2 times |
| red | 650 nm | once |

At sunset the light comes a longer way, and only the reds are left."""
REASONING = "The person asks about Rayleigh scattering. Its strength goes with 1/λ⁴."
ENDS = ("failed", "cut_off_by_restart", "still_unavailable", "only_thought", "nothing_written")
"""Keys of texts that stand in place of an answer."""
NOTICES = {
    "file_cut": {"name": "server.log", "limit": "1 MiB"},
    "file_skipped": {"name": "eleventh.txt", "count": 10},
    "file_unseen": {"name": "plan.png"},
    "file_not_text": {"name": "build.bin"},
    "file_broken": {"name": "report.pdf"},
    "file_encrypted": {"name": "report.pdf"},
    "file_empty": {"name": "scan.pdf"},
    "file_too_big": {"name": "all.xlsx"},
    "file_too_slow": {"name": "all.xlsx"},
    "file_failed": {"name": "notes.txt"},
    "file_gone": {"name": "notes.txt"},
    "question_cut": {"count": 1},
    "length_reached": {},
    "length_reached_higher": {},
}
"""Texts under an answer, with what is put into them."""


def waiting() -> Iterator[tuple[str, Reply]]:
    """Replies without any text yet, by name."""
    yield "thinking", reply(ReplyState.THINKING)
    yield "first in the queue", reply(ReplyState.QUEUED, position=1)
    yield "third in the queue", reply(ReplyState.QUEUED, position=3, eta_seconds=20.0)
    yield "the model loads", reply(ReplyState.LOADING, stage="loading", progress=0.5)
    yield "the model is away", reply(ReplyState.UNAVAILABLE)
    steps = [
        Step("1", "clock", state=StepState.DONE, output="14:03"),
        Step("2", "calculator", "6*7"),
    ]
    yield "a tool is called", reply(ReplyState.CALLING, steps=steps)


def shown(texts: Texts) -> Iterator[tuple[str, Reply]]:
    """Replies with something to read, by name."""
    usage = TokenCounts(prompt_tokens=120, reasoning_tokens=64, answer_tokens=81, seconds=1.23)
    yield "being written", reply(ReplyState.WRITING, text=ANSWER[:120])
    for reason in ApprovalReason:
        call = Approval("1", "fetch", '{"url": "https://example.org/a"}', reason)
        yield f"may a tool be called: {reason}", reply(ReplyState.CALLING, approval=call)
    yield "done", reply(ReplyState.DONE, text=ANSWER, usage=usage)
    receipt = Receipt()
    receipt.add("example.org", "fetch", 612)
    pages = [("Why the sky is blue", "https://example.org/sky")]
    yield (
        "done, from pages",
        reply(ReplyState.DONE, text=ANSWER, usage=usage, sources=pages, receipt=receipt),
    )
    yield (
        "done, with its reasoning",
        reply(ReplyState.DONE, text=ANSWER, usage=usage, reasoning=REASONING),
    )
    yield "done at high effort", reply(ReplyState.DONE, Effort.HIGH, text=ANSWER, usage=usage)
    yield "done, long", reply(ReplyState.DONE, text="\n\n".join([ANSWER] * 5), usage=usage)
    yield "stopped", reply(ReplyState.STOPPED, text=ANSWER[:120])
    yield "cut off", reply(ReplyState.FAILED, text=ANSWER[:120], notices=[texts("cut_off")])
    yield "too busy", reply(ReplyState.FAILED, notices=[texts("busy", wait=texts.duration(40))])
    for key in ENDS:
        yield key, reply(ReplyState.FAILED, notices=[texts(key)])
    notices = [texts(key, **fields) for key, fields in NOTICES.items()]
    for at in range(0, len(notices), 5):
        told = notices[at : at + 5]
        yield (
            f"notices {at // 5 + 1}",
            reply(ReplyState.DONE, text="42.", usage=usage, notices=told),
        )


def summaries(texts: Texts, link: str, when: str) -> Iterator[tuple[str, Reply]]:
    """What /summary shows, by name; `link` leads to a message, `when` is a time."""
    usage = TokenCounts(prompt_tokens=9200, reasoning_tokens=0, answer_tokens=310, seconds=8.4)
    reading = texts("summary_reading", count=1200)
    yield "a summary, reading", reply(ReplyState.QUEUED, activity=reading)
    part = texts("summary_part", part=2, parts=6)
    yield "a summary, in parts", reply(ReplyState.THINKING, activity=part)
    joining = texts("summary_joining")
    yield "a summary, joining", reply(ReplyState.THINKING, activity=joining)
    text = f"**Harbour**\n- Ann wants a new pier [{LINK_LABEL}]({link})\n- Ben asks who pays."
    for key in ("summary_covers", "summary_covers_less"):
        line = texts(key, count=3000, when=when)
        yield key, reply(ReplyState.DONE, text=text, usage=usage, notices=[line])
    yield "summary_nothing", reply(ReplyState.DONE, notices=[texts("summary_nothing", when=when)])
    for key in ("summary_too_slow", "summary_unreadable"):
        line = texts(key, channel="#general")
        yield key, reply(ReplyState.FAILED, notices=[line])


def reply(state: ReplyState, effort: Effort = Effort.MEDIUM, **fields: object) -> Reply:
    made = Reply(asker="1", effort=effort, show_reasoning="reasoning" in fields)
    for name, value in fields.items():
        setattr(made, name, value)
    made.change(state)
    return made
