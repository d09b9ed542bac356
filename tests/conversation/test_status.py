"""The bot's small lines about an answer."""

import pytest

from bot.config import Config, Effort
from bot.conversation.reply import Reply, ReplyState, TokenCounts
from bot.conversation.status import end_lines, footer_line, status_line, what_the_app_does
from bot.conversation.texts import Texts

TEXTS = Texts(Config(), "en")


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


def test_under_an_answer_stands_how_it_ended_and_what_it_took() -> None:
    usage = TokenCounts(prompt_tokens=10, reasoning_tokens=3, answer_tokens=4, seconds=1.25)
    reply = reply_in(ReplyState.STOPPED, usage=usage, notices=["Cut."])
    assert end_lines(reply, TEXTS) == ["Stopped.", "Cut."]
    assert footer_line(reply, TEXTS) == "low · 1.2 s"
    assert footer_line(reply_in(ReplyState.DONE), TEXTS) == ""
