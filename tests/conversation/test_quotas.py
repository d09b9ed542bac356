"""How much may be asked: reserved when an answer is admitted, counted when it ends."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Self
from unittest.mock import AsyncMock

import pytest
from sqlalchemy import text

from bot.config import Config, Effort
from bot.conversation import gate
from bot.conversation.access import Window
from bot.conversation.events import Author, Place, QuestionKey
from bot.conversation.gate import NotAdmitted
from bot.conversation.reply import Reply
from bot.storage import StorageError, Store, UsageSum, runs
from tests.conversation.conftest import ANN, CHANNEL, THREAD, Chat
from tests.doubles.inference import Error, Say, Wait

DIRECT = Place("test", "1", "dm", direct=True)
ELSEWHERE = Place("test", "another server", "channel")
ZOE = Author("9", "Zoe")


@pytest.mark.parametrize("quota", [{"requests": 1}, {"tokens": 17}])
async def test_a_person_who_has_used_up_a_quota_is_told_until_when(
    chat: Chat, quota: dict[str, int]
) -> None:
    chat.configure(Config.model_validate({"quotas": {"user": quota}}))
    assert await chat.refusal(CHANNEL, ANN) is None
    await chat.answer("Hi")
    refused = await chat.refusal(CHANNEL, ANN)
    assert refused is not None
    assert refused.startswith("You've reached your limit. Try again in ")
    assert await chat.refusal(CHANNEL, ZOE) is None


async def test_a_servers_quota_is_everybodys_there_and_nobodys_in_private(chat: Chat) -> None:
    chat.configure(Config.model_validate({"quotas": {"server": {"requests": 1}}}))
    await chat.answer("Hi")
    refused = await chat.refusal(CHANNEL, ZOE)
    assert refused is not None
    assert refused.startswith("This server has reached its limit")
    assert await chat.refusal(DIRECT, ANN) is None


@pytest.mark.parametrize("quota", [{"requests": 2}, {"tokens": 18}])
async def test_a_quota_of_which_one_is_left_admits_one_more(
    chat: Chat, quota: dict[str, int]
) -> None:
    chat.configure(Config.model_validate({"quotas": {"user": quota}}))
    await chat.answer("Hi")
    assert await chat.refusal(CHANNEL, ANN) is None
    await chat.answer("Hi")
    assert await chat.refusal(CHANNEL, ANN) is not None


async def test_a_person_s_quota_holds_in_all_servers_of_a_platform(chat: Chat) -> None:
    chat.configure(Config.model_validate({"quotas": {"user": {"requests": 1}}}))
    await chat.answer("Hi")
    for place in (ELSEWHERE, DIRECT):
        assert "You've reached your limit" in str(await chat.refusal(place, ANN))
    assert await chat.refusal(Place("other", "server", "channel"), ANN) is None


async def test_a_servers_quota_is_its_own(chat: Chat) -> None:
    quotas = {"user": {"requests": 1}, "server": {"requests": 1}}
    chat.configure(Config.model_validate({"quotas": quotas}))
    await chat.answer("Hi")
    assert await chat.refusal(ELSEWHERE, ZOE) is None
    assert "You've reached your limit" in str(await chat.refusal(CHANNEL, ANN))


UTC_3 = timezone(timedelta(hours=3))


@pytest.mark.parametrize(
    ("now", "hours", "start", "end"),
    [
        (datetime(2026, 3, 1, 23, 30, 59, 9, tzinfo=UTC), 10, (1, 20), (2, 0)),
        (datetime(2026, 3, 1, 10, tzinfo=UTC), 10, (1, 10), (1, 20)),
        (datetime(2026, 3, 1, 9, 59, tzinfo=UTC), 10, (1, 0), (1, 10)),
        (datetime(2026, 3, 1, 12, 1, tzinfo=UTC), 24, (1, 0), (2, 0)),
        (datetime(2026, 3, 2, 2, 30, tzinfo=UTC_3), 10, (1, 20), (2, 0)),
    ],
)
def test_windows_follow_each_other_from_midnight_and_the_last_ends_with_the_day(
    now: datetime, hours: int, start: tuple[int, int], end: tuple[int, int]
) -> None:
    window = Window.around(now, hours)
    assert window.start == datetime(2026, 3, *start, tzinfo=UTC)
    assert window.end == datetime(2026, 3, *end, tzinfo=UTC)


@pytest.mark.parametrize(
    ("whose", "told"),
    [("user", "You've reached your limit."), ("server", "This server has reached its limit.")],
)
async def test_a_quota_is_whole_again_once_its_window_has_ended(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, whose: str, told: str
) -> None:
    def at(day: int, hour: int, minute: int) -> None:
        class Clock(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Self:
                return cls(2026, 3, day, hour, minute, 30, 9, tzinfo=tz)

        monkeypatch.setattr(gate, "datetime", Clock)

    quotas = {whose: {"requests": 1}, "window_hours": 12}
    chat.configure(Config.model_validate({"quotas": quotas}))
    at(1, 11, 59)
    await chat.answer("Hi")
    at(1, 12, 5)
    admission = await chat.admit()
    assert admission.running is not None
    assert admission.running.hour == datetime(2026, 3, 1, 12, tzinfo=UTC)
    await admission.end(1, 2)
    for minute, wait in ((20, "4 h"), (59, "3 h")):
        at(1, 20, minute)
        assert await chat.refusal(CHANNEL, ANN) == f"{told} Try again in {wait}."
    at(2, 0, 0)
    assert await chat.refusal(CHANNEL, ANN) is None


async def break_table(chat: Chat, table: str) -> None:
    async with chat.core.store.engine.begin() as connection:
        await connection.execute(text(f"DROP TABLE {table}"))


async def test_a_database_that_fails_refuses_only_where_there_is_a_quota_to_keep(
    chat: Chat,
) -> None:
    await break_table(chat, "running_answers")
    await (await chat.admit()).shown_in(THREAD, ["1"])
    assert (await chat.answer("Hi")).text == "Hello there."
    chat.configure(Config.model_validate({"quotas": {"server": {"requests": 9}}}))
    assert (await chat.answer("Hi", place=DIRECT)).text == "Hello there."
    with pytest.raises(StorageError):
        await chat.admit()
    chat.configure(Config.model_validate({"quotas": {"user": {"tokens": 9}}}))
    with pytest.raises(StorageError):
        await chat.admit(place=DIRECT)


async def test_a_database_that_fails_meanwhile_does_not_cost_the_answer(chat: Chat) -> None:
    admission = await chat.admit()
    reply = await chat.ask_admitted("Hi", ANN, admission)
    await break_table(chat, "running_answers")
    await admission.shown_in(THREAD, ["1"])
    assert (await chat.ended(reply)).text == "Hello there."


async def test_of_a_burst_as_many_are_admitted_as_the_quota_has(chat: Chat) -> None:
    chat.configure(Config.model_validate({"quotas": {"user": {"requests": 2}}}))
    asked = await asyncio.gather(*(chat.ask("Hi") for _ in range(8)), return_exceptions=True)
    admitted = [reply for reply in asked if isinstance(reply, Reply)]
    assert len(admitted) == 2
    assert all(isinstance(refused, NotAdmitted) for refused in asked if refused not in admitted)
    for reply in admitted:
        await chat.ended(reply)
    assert (await chat.core.store.usage.of("test")).requests == 2


async def test_what_runs_counts_with_all_that_it_may_use(chat: Chat) -> None:
    chat.configure(Config.model_validate({"quotas": {"server": {"tokens": 100}}}))
    chat.inference.script(Wait(asyncio.Event()))
    running = await chat.ask("Hi")
    assert "server has" in str(await chat.refusal(CHANNEL, ZOE))
    running.stop()
    await chat.ended(running)
    assert await chat.refusal(CHANNEL, ZOE) is None


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
    for message in ("m", "n"):
        assert await chat.core.take(QuestionKey("bot", message), CHANNEL)
    admission = await chat.admit(effort=Effort.HIGH)
    admitted = admission.running
    assert admitted is not None
    asked = (admitted.server, admitted.channel, admitted.question, admitted.asker, admitted.user_id)
    assert asked == ("server", "channel", "m", "1", "1")
    assert (admitted.effort, admitted.reserved_tokens) == ("high", 8192)
    await admission.shown_in(THREAD, ["1", "2"])
    mine = chat.core.store.answers
    assert await mine.take_cut_off("test", "bot", lambda server: True) == []
    async with Store.open(f"sqlite+aiosqlite:///{tmp_path / 'bot.db'}") as later:
        assert await later.answers.take_cut_off("test", "bot", lambda server: True) == []
        monkeypatch.setattr(runs.StoredRuns, "goes_on", AsyncMock(return_value=False))
        assert await later.answers.take_cut_off("test", "bot", lambda server: False) == []
        assert [left.message for left in await later.questions.left("test", "bot")] == ["n"]
        (found,) = await later.answers.take_cut_off("test", "bot", lambda server: True)
        shown = replace(admitted, thread="thread", messages=("1", "2"), attempts=2)
        assert found == replace(shown, hour=found.hour)
        assert await later.answers.take_cut_off("test", "bot", lambda server: True) == []
        assert await mine.take_cut_off("test", "bot", lambda server: True) != []
    await admission.end(1, 2)
    assert await mine.take_cut_off("test", "bot", lambda server: True) == []
    await mine.end(admitted, UsageSum(1, 100, 100))  # as another process may, once it takes it
    assert await chat.core.store.usage.of("test", user_id=ANN.id) == UsageSum(1, 1, 2)
