"""The keys by which a service knows who asks tell nothing about them."""

from dataclasses import replace
from typing import Any

import pytest

from bot.config import Config
from bot.conversation.events import Author, Place
from bot.conversation.keys import cache_salt, fair_share_key

PLACE = Place("discord", "server", "channel")
ANN, BEN = Author("1", "Ann"), Author("2", "Ben")


def test_a_server_and_a_person_are_known_again_wherever_they_ask() -> None:
    server, person = fair_share_key(PLACE, ANN).split("/")
    assert fair_share_key(replace(PLACE, channel="other", thread="t"), ANN) == f"{server}/{person}"
    assert fair_share_key(PLACE, replace(ANN, name="Anna")) == f"{server}/{person}"
    other_server, same_person = fair_share_key(replace(PLACE, server="other"), ANN).split("/")
    assert (other_server != server, same_person) == (True, person)
    same_server, other_person = fair_share_key(PLACE, BEN).split("/")
    assert (same_server, other_person != person) == (server, True)
    on_slack = fair_share_key(replace(PLACE, platform="slack"), ANN)
    assert {server, person}.isdisjoint(on_slack.split("/"))
    assert (len(server), len(person)) == (16, 16)


def test_a_salt_is_a_servers_own() -> None:
    salt = cache_salt(Config(), PLACE)
    assert cache_salt(Config(), replace(PLACE, channel="other", thread="t")) == salt
    others = {
        cache_salt(Config(), replace(PLACE, server="other")),
        cache_salt(Config(), replace(PLACE, platform="slack")),
    }
    assert len(others | {salt}) == 3
    assert len(salt) == 32


@pytest.mark.parametrize(
    "secret",
    [
        {"discord": {"token": "x"}},
        {"slack": {"bot_token": "x"}},
        {"slack": {"client_secret": "x"}},
        {"inference": {"api_key": "x"}},
    ],
)
def test_nobody_computes_a_salt_without_each_of_the_bots_secrets(secret: dict[str, Any]) -> None:
    with_it = Config.model_validate(secret)
    assert cache_salt(with_it, PLACE) != cache_salt(Config(), PLACE)
