"""Who may ask where, and how much."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.config import Config
from bot.conversation.access import Window
from bot.conversation.events import Author, Place
from tests.conversation.conftest import ANN, CHANNEL, Chat

NOT_HERE = "You can't ask me here."
DIRECT = Place("test", "1", "dm", direct=True)
FILED = Place("test", "server", "channel", category="help")
REGULAR = Author("1", "Ann", roles=frozenset({"regulars"}))


@pytest.mark.parametrize(
    ("access", "place", "author", "refused"),
    [
        ({}, CHANNEL, ANN, None),
        ({"direct_messages": False}, DIRECT, ANN, "I don't answer direct messages."),
        ({"direct_messages": False}, CHANNEL, ANN, None),
        ({"block": {"users": ["1"]}}, CHANNEL, ANN, NOT_HERE),
        ({"block": {"roles": ["regulars"]}}, CHANNEL, REGULAR, NOT_HERE),
        ({"block": {"channels": ["channel"]}, "allow": {"users": ["1"]}}, CHANNEL, ANN, NOT_HERE),
        ({"block": {"categories": ["help"]}}, FILED, ANN, NOT_HERE),
        ({"allow": {"users": ["2"]}}, CHANNEL, ANN, NOT_HERE),
        ({"allow": {"users": ["2"], "roles": ["regulars"]}}, CHANNEL, REGULAR, None),
        ({"allow": {"servers": ["other"]}}, CHANNEL, ANN, NOT_HERE),
        ({"allow": {"servers": ["other"]}}, DIRECT, ANN, None),
        ({"allow": {"channels": ["other"]}}, CHANNEL, ANN, NOT_HERE),
        ({"allow": {"channels": ["other"], "categories": ["help"]}}, FILED, ANN, None),
    ],
)
async def test_lists_say_who_may_ask_where(
    chat: Chat, access: dict[str, Any], place: Place, author: Author, refused: str | None
) -> None:
    chat.configure(Config.model_validate({"access": access}))
    assert await chat.refusal(place, author) == refused


@pytest.mark.parametrize("quota", [{"requests": 1}, {"tokens": 10}])
async def test_a_person_who_has_used_up_a_quota_is_told_until_when(
    chat: Chat, quota: dict[str, int]
) -> None:
    chat.configure(Config.model_validate({"quotas": {"user": quota}}))
    assert await chat.refusal(CHANNEL, ANN) is None
    await chat.answer("Hi")
    refused = await chat.refusal(CHANNEL, ANN)
    assert refused is not None
    assert refused.startswith("You've reached your limit. Try again in ")
    assert await chat.refusal(CHANNEL, Author("9", "Zoe")) is None


async def test_a_servers_quota_is_everybodys_there_and_nobodys_in_private(chat: Chat) -> None:
    chat.configure(Config.model_validate({"quotas": {"server": {"requests": 1}}}))
    await chat.answer("Hi")
    refused = await chat.refusal(CHANNEL, Author("9", "Zoe"))
    assert refused is not None
    assert refused.startswith("This server has reached its limit")
    assert await chat.refusal(DIRECT, ANN) is None


def test_windows_follow_each_other_from_midnight_and_the_last_ends_with_the_day() -> None:
    night = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    window = Window.around(night, hours=10)
    assert (window.start.hour, window.end) == (20, datetime(2026, 3, 2, tzinfo=UTC))
