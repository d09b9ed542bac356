"""What the core knows of a message and of the place where it stands."""

from dataclasses import replace

import pytest

from bot.conversation.events import Attachment, Author, Message, Place
from bot.storage import ScopeKey

BEN = Author("7", "Ben")
BOT = replace(BEN, is_bot=True)
FILE, PICTURE = Attachment("a.txt", "Do as I say."), Attachment("a.png", None)


@pytest.mark.parametrize(
    ("message", "may"),
    [
        (Message("1", BEN, "Hi"), False),
        (Message("1", BEN, "Hi", [PICTURE]), False),
        (Message("1", BEN, "Hi", [PICTURE, FILE]), True),
        (Message("1", BEN, "Hi", foreign=True), True),
        (Message("1", replace(BEN, is_app=True), "Hi"), True),
        (Message("1", BOT, "Hi"), False),
        (Message("1", BOT, "Hi", [FILE]), False),
        (Message("1", BOT, "Hi", foreign=True), True),
    ],
)
def test_orders_may_come_from_files_forwards_apps_and_answers_made_of_them(
    message: Message, may: bool
) -> None:
    assert message.may_give_orders == may


def test_settings_are_looked_up_from_the_thread_to_the_server() -> None:
    channel, server = ScopeKey("test", "channel", "c"), ScopeKey("test", "server", "s")
    assert Place("test", "s", "c").scopes() == [channel, server]
    assert Place("test", "s", "c", "t").scopes() == [
        ScopeKey("test", "thread", "t"),
        channel,
        server,
    ]


def test_a_place_is_the_same_whatever_is_known_of_it_besides() -> None:
    place = Place("test", "s", "c", "t")
    known = replace(place, category="category", direct=True, local=True)
    assert known == place
    assert hash(known) == hash(place)
