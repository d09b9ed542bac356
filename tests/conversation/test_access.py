"""Who may ask where."""

from typing import Any

import pytest

from bot.config import Config
from bot.conversation.events import Author, Place
from tests.conversation.conftest import ANN, CHANNEL, THREAD, Chat

NOT_HERE = "You can't ask me here."
DIRECT = Place("test", "1", "dm", direct=True)
FILED = Place("test", "server", "channel", category="help")
LOCAL = Place("console", "local", "terminal", direct=True, local=True)
REGULAR = Author("1", "Ann", roles=frozenset({"regulars"}))


@pytest.mark.parametrize(
    ("access", "place", "author", "refused"),
    [
        ({}, CHANNEL, ANN, None),
        ({"direct_messages": False}, DIRECT, ANN, "I don't answer direct messages."),
        ({"direct_messages": False}, CHANNEL, ANN, None),
        ({"direct_messages": False, "block": {"users": ["1"]}}, LOCAL, ANN, None),
        ({"block": {"users": ["1"]}}, CHANNEL, ANN, NOT_HERE),
        ({"block": {"users": ["2"]}}, CHANNEL, ANN, None),
        ({"block": {"users": ["1"]}}, DIRECT, ANN, "I don't answer direct messages."),
        ({"block": {"roles": ["regulars"]}}, CHANNEL, REGULAR, NOT_HERE),
        ({"block": {"roles": ["regulars"]}, "allow": {"users": ["1"]}}, CHANNEL, REGULAR, NOT_HERE),
        ({"block": {"servers": ["server"]}}, CHANNEL, ANN, NOT_HERE),
        ({"block": {"channels": ["channel"]}, "allow": {"users": ["1"]}}, CHANNEL, ANN, NOT_HERE),
        ({"block": {"channels": ["channel"]}}, THREAD, ANN, NOT_HERE),
        ({"block": {"channels": ["thread"]}}, THREAD, ANN, NOT_HERE),
        ({"block": {"channels": ["thread"]}}, CHANNEL, ANN, None),
        ({"block": {"categories": ["help"]}}, FILED, ANN, NOT_HERE),
        ({"block": {"categories": ["help"]}}, CHANNEL, ANN, None),
        ({"allow": {"users": ["1"]}}, CHANNEL, ANN, None),
        ({"allow": {"users": ["2"]}}, CHANNEL, ANN, NOT_HERE),
        ({"allow": {"roles": ["regulars"]}}, CHANNEL, ANN, NOT_HERE),
        ({"allow": {"users": ["2"], "roles": ["regulars"]}}, CHANNEL, REGULAR, None),
        ({"allow": {"users": ["2"]}}, DIRECT, ANN, "I don't answer direct messages."),
        ({"allow": {"servers": ["server"]}}, CHANNEL, ANN, None),
        ({"allow": {"servers": ["other"]}}, CHANNEL, ANN, NOT_HERE),
        ({"allow": {"servers": ["other"]}}, DIRECT, ANN, None),
        ({"allow": {"servers": ["other"], "channels": ["channel"]}}, CHANNEL, ANN, NOT_HERE),
        ({"allow": {"channels": ["channel"]}}, THREAD, ANN, None),
        ({"allow": {"channels": ["thread"]}}, THREAD, ANN, None),
        ({"allow": {"channels": ["other"]}}, CHANNEL, ANN, NOT_HERE),
        ({"allow": {"channels": ["other"]}}, DIRECT, ANN, None),
        ({"allow": {"channels": ["other"], "users": ["1"]}}, CHANNEL, ANN, NOT_HERE),
        ({"allow": {"categories": ["other"]}}, FILED, ANN, NOT_HERE),
        ({"allow": {"channels": ["other"], "categories": ["help"]}}, FILED, ANN, None),
    ],
)
async def test_lists_say_who_may_ask_where(
    chat: Chat, access: dict[str, Any], place: Place, author: Author, refused: str | None
) -> None:
    chat.configure(Config.model_validate({"access": access}))
    assert await chat.refusal(place, author) == refused


async def test_only_who_may_not_use_the_bot_at_all_is_denied_access(chat: Chat) -> None:
    refused = await chat.run("/effort high", ANN)
    assert (refused.done, refused.access_denied) == (False, False)
    chat.configure(Config.model_validate({"access": {"block": {"users": ["1"]}}}))
    refused = await chat.run("/effort high", ANN)
    assert (refused.text, refused.done, refused.access_denied) == (NOT_HERE, False, True)
    assert (await chat.run("/privacy", ANN)).done  # what is stored of them is theirs to know
