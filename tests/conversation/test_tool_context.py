"""What the calls of an answer are told of who asks, where, and what they could see."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import pytest

from bot.config import Config
from bot.conversation.events import Attachment, Author, Message, Place, Question
from bot.conversation.in_effect import InEffect
from bot.conversation.tool_context import context_of_question
from bot.storage import StoredPlace
from bot.tools import MessageHit, ToolContext

ANN = Author("1", "Ann", roles=frozenset({"staff"}), zone=ZoneInfo("Asia/Tokyo"))
BEN = Author("7", "Ben", roles=frozenset({"admins"}))
CHANNEL = Place("test", "s", "c")
ZONE = Config.model_validate({"conversation": {"time_zone": "Europe/Berlin"}})


async def search(query: str, count: int) -> Sequence[MessageHit]:
    return []


def context(question: Question, place: Place = CHANNEL) -> ToolContext:
    return context_of_question(question, InEffect.at(place, ZONE, StoredPlace({}, [], "0")))


def test_calls_have_the_askers_rights_and_know_all_that_the_asker_could_see() -> None:
    files = [Attachment("a.txt", "in a file"), Attachment("a.png", None)]
    question = Question(
        Message("3", ANN, "asked", files),
        history=[Message("2", BEN, "before")],
        above=[Message("1", BEN, "above"), Message("0", BEN, "")],
        search=search,
    )
    assert context(question) == ToolContext(
        platform="test",
        server="s",
        channels=frozenset({"c"}),
        roles=frozenset({"staff"}),
        time_zone="Europe/Berlin",
        texts=["above", "before", "asked", "in a file"],
        tainted=True,
        search=search,
    )


def test_a_thread_is_in_its_channel_and_its_category() -> None:
    place = Place("test", "s", "c", "thread", category="category")
    asked = context(Question(Message("1", ANN, "Hi")), place)
    assert asked.channels == {"c", "thread", "category"}


@pytest.mark.parametrize("where", ["above", "history", "message"])
def test_one_message_that_others_may_have_written_taints_the_answer(where: str) -> None:
    plain, foreign = Message("1", ANN, "Hi"), Message("2", BEN, "Look", foreign=True)
    assert not context(Question(plain, history=[plain], above=[plain])).tainted
    said = {part: [plain] for part in ("above", "history", "message")} | {where: [plain, foreign]}
    question = Question(said["message"][-1], history=said["history"], above=said["above"])
    assert context(question).tainted
