"""The bot's small lines about an answer."""

import pytest

from bot.config import Config, Effort
from bot.conversation.reply import Reply, ReplyState, Step, StepState, TokenCounts
from bot.conversation.status import (
    APOSTROPHE,
    calls_line,
    end_lines,
    footer_line,
    receipt_lines,
    status_line,
    waiting_lines,
    what_the_app_does,
)
from bot.conversation.texts import Texts
from bot.tools import Approval
from bot.tools.approval import ApprovalReason

TEXTS = Texts(Config(), "en")
STEPS = [
    Step("1", "browser.open", "https://example.com", StepState.FAILED),
    Step("2", "calculator", "6*7", StepState.DONE),
    Step("3", "now"),
]


def reply_in(state: ReplyState, **fields: object) -> Reply:
    reply = Reply(asker="1", effort=Effort.LOW, show_reasoning=False)
    for name, value in fields.items():
        setattr(reply, name, value)
    reply.change(state)
    return reply


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        (reply_in(ReplyState.QUEUED), "Thinking…"),
        (reply_in(ReplyState.QUEUED, position=2), "Number 2 in the queue."),
        (
            reply_in(ReplyState.QUEUED, position=2, eta_seconds=90.0),
            "Number 2 in the queue, about 2 min.",
        ),
        (
            reply_in(ReplyState.LOADING, stage="loading", progress=0.5),
            "Getting the model ready (loading 50%). Your question is waiting.",
        ),
        (
            reply_in(ReplyState.UNAVAILABLE),
            "The model isn't available right now. I'm trying again, and your question is waiting.",
        ),
        (
            reply_in(ReplyState.LOADING, stage="loading"),
            "Getting the model ready (loading). Your question is waiting.",
        ),
    ],
)
def test_while_people_wait_they_are_told_for_what(reply: Reply, line: str) -> None:
    assert status_line(reply, TEXTS) == line


@pytest.mark.parametrize(
    ("reply", "end"),
    [
        (reply_in(ReplyState.QUEUED), "is thinking…"),
        (reply_in(ReplyState.QUEUED, position=1), "is next in line"),
        (
            reply_in(ReplyState.QUEUED, position=3, eta_seconds=20.0),
            "is third in line, about 20 s",
        ),
        (reply_in(ReplyState.CALLING), "is thinking…"),
        (reply_in(ReplyState.CALLING, steps=STEPS[:2]), "is calling calculator: 6*7"),
        (reply_in(ReplyState.CALLING, steps=STEPS), "is calling now"),
        (reply_in(ReplyState.THINKING, activity="Reading…"), "Reading…"),
        (reply_in(ReplyState.QUEUED, position=11), "is 11th in line"),
        (reply_in(ReplyState.QUEUED, position=22), "is 22nd in line"),
        (
            reply_in(ReplyState.LOADING, stage="loading", progress=0.5),
            "is getting the model ready (loading 50%)",
        ),
    ],
)
def test_slacks_status_goes_on_after_the_apps_name(reply: Reply, end: str) -> None:
    assert what_the_app_does(reply, TEXTS) == end


def test_an_unfinished_answer_shows_its_last_three_calls_and_what_it_waits_for() -> None:
    calls = [
        "Called browser.open: `https://example.com`, which failed",
        "Called calculator: `6*7`",
        "Calling now",
    ]
    steps = [Step("0", "search", "tides", StepState.DONE), *STEPS]
    assert waiting_lines(reply_in(ReplyState.CALLING, steps=steps), TEXTS) == calls
    thinking = reply_in(ReplyState.THINKING, steps=steps, text="Let me see.")
    assert waiting_lines(thinking, TEXTS) == [*calls, "Thinking…"]
    assert waiting_lines(reply_in(ReplyState.THINKING, text=" "), TEXTS) == ["Thinking…"]
    assert waiting_lines(reply_in(ReplyState.WRITING, text="So", steps=steps), TEXTS) == []
    assert waiting_lines(reply_in(ReplyState.QUEUED, text="So"), TEXTS) == []


def test_an_asker_sees_which_words_would_go_out_and_no_link_in_them() -> None:
    def asked(arguments: str) -> list[str]:
        approval = Approval("key", "mail", arguments, ApprovalReason.WRITES)
        return waiting_lines(reply_in(ReplyState.CALLING, steps=STEPS, approval=approval), TEXTS)

    question = "mail may change something. May I call it?"
    assert asked("to `Ben`") == [question, f"`to {APOSTROPHE}Ben{APOSTROPHE}`", ""]
    assert asked("x" * 1000) == [question, f"`{'x' * 1000}`", ""]
    cut = TEXTS("approval_more", count=1)
    assert asked("x" * 1001) == [question, f"`{'x' * 1000}`", cut]
    assert asked("") == [question, "", ""]


def test_a_receipt_names_eight_hosts_with_tools_and_sizes_the_most_first() -> None:
    reply = reply_in(ReplyState.DONE)
    assert receipt_lines(reply, TEXTS) == []
    reply.receipt.add("a.example", "search", 9_000)
    reply.receipt.add("a.example", "open", 999)
    reply.receipt.add("b.example", "open", 10_000)
    (line,) = receipt_lines(reply, TEXTS)
    both = "10 KB to b.example (open); 9999 B to a.example (open, search)"
    assert line == f"Sent out: {both}"
    for count in range(6):
        reply.receipt.add(f"{count}.example", "open", 1)
    (line,) = receipt_lines(reply, TEXTS)
    assert line.startswith(f"Sent out: {both}; 1 B to 0.example (open); ")
    assert line.endswith("; 1 B to 5.example (open)")
    reply.receipt.add("6.example", "open", 1)
    (line,) = receipt_lines(reply, TEXTS)
    assert line.endswith("; 1 B to 5.example (open); +1")


def test_all_that_was_called_is_named_with_how_often() -> None:
    steps = [*STEPS, Step("4", "now")]
    line = calls_line(reply_in(ReplyState.DONE, steps=steps), TEXTS)
    assert line == "Called: browser.open, calculator, now \u00d72"
    assert calls_line(reply_in(ReplyState.DONE), TEXTS) == ""


def test_under_an_answer_stands_how_it_ended_and_what_it_took() -> None:
    usage = TokenCounts(prompt_tokens=10, reasoning_tokens=3, answer_tokens=4, seconds=1.25)
    reply = reply_in(ReplyState.STOPPED, usage=usage, notices=["Cut."])
    assert end_lines(reply, TEXTS) == ["Stopped.", "Cut."]
    assert footer_line(reply, TEXTS) == "low · 1.2 s"
    done = reply_in(ReplyState.DONE)
    assert end_lines(done, TEXTS) == []
    assert footer_line(done, TEXTS) == ""
