"""Who may ask where, and how much."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from bot.config import Config
from bot.conversation.access import Window
from bot.conversation.events import Author, Place
from bot.conversation.gate import Refused
from bot.conversation.reply import Reply
from bot.storage import Store, runs
from tests.conversation.conftest import ANN, CHANNEL, THREAD, Chat
from tests.doubles.inference import Error, Say, Wait

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


async def test_of_a_burst_as_many_are_admitted_as_the_quota_has(chat: Chat) -> None:
    chat.configure(Config.model_validate({"quotas": {"user": {"requests": 2}}}))
    asked = await asyncio.gather(*(chat.ask("Hi") for _ in range(8)), return_exceptions=True)
    admitted = [reply for reply in asked if isinstance(reply, Reply)]
    assert len(admitted) == 2
    assert all(isinstance(refused, Refused) for refused in asked if refused not in admitted)
    for reply in admitted:
        await chat.ended(reply)
    assert (await chat.core.store.usage.of("test")).requests == 2


async def test_what_runs_counts_with_all_that_it_may_use(chat: Chat) -> None:
    chat.configure(Config.model_validate({"quotas": {"server": {"tokens": 100}}}))
    chat.inference.script(Wait(asyncio.Event()))
    running = await chat.ask("Hi")
    assert "server has" in str(await chat.refusal(CHANNEL, Author("9", "Zoe")))
    running.stop()
    await chat.ended(running)
    assert await chat.refusal(CHANNEL, Author("9", "Zoe")) is None


async def test_a_stopped_answer_counts_what_came(chat: Chat) -> None:
    chat.inference.script(Say("one "), Say("two "), Wait(asyncio.Event()))
    reply = await chat.ask("Hi")
    async for update in reply.updates():
        if "two" in update.text:
            break
    reply.stop()
    await chat.ended(reply)
    usage = await chat.core.store.usage.of("test", user_id=ANN.id)
    assert usage.requests == 1
    assert usage.prompt_tokens > 0
    assert 2 <= usage.completion_tokens < 100


async def test_a_failed_answer_gives_back_what_it_did_not_use(chat: Chat) -> None:
    chat.inference.script(Error(500))
    await chat.answer("Hi")
    usage = await chat.core.store.usage.of("test", user_id=ANN.id)
    assert (usage.requests, usage.completion_tokens) == (1, 0)


async def test_an_answer_is_recorded_until_it_ends_and_found_by_the_next_run(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission = await chat.admit()
    await admission.shown_in(THREAD, ["1", "2"])
    mine = chat.core.store.answers
    assert await mine.take_cut_off("test", "bot", lambda server: True) == []
    async with Store.open(f"sqlite+aiosqlite:///{tmp_path / 'bot.db'}") as later:
        assert await later.answers.take_cut_off("test", "bot", lambda server: True) == []
        monkeypatch.setattr(runs.StoredRuns, "goes_on", AsyncMock(return_value=False))
        assert await later.answers.take_cut_off("test", "bot", lambda server: False) == []
        (found,) = await later.answers.take_cut_off("test", "bot", lambda server: True)
        assert (found.question, found.thread, found.messages) == ("m", "thread", ("1", "2"))
        assert found.attempts == 2
        assert await later.answers.take_cut_off("test", "bot", lambda server: True) == []
        assert await mine.take_cut_off("test", "bot", lambda server: True) != []
    await admission.end(1, 2)
    assert await mine.take_cut_off("test", "bot", lambda server: True) == []
    usage = await chat.core.store.usage.of("test", user_id=ANN.id)
    assert (usage.requests, usage.prompt_tokens, usage.completion_tokens) == (1, 1, 2)
