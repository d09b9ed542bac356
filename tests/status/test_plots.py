"""What the plots draw, in the last hour and over days."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.client import ServiceMetrics
from bot.conversation.events import Place
from bot.status import recorder as recording
from bot.status.recorder import Recorder, this_hour
from bot.storage import AnswerCounts, AnswersKey, Load, StorageError, Store
from bot.storage.hours import KEPT_FOR
from tests.conversation.conftest import ANN
from tests.status.conftest import Page
from tests.status.test_page import PLACE


class Clock:
    """Stands in for the monotonic clock, where the test says how late it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(recording.time, "monotonic", lambda: self.now)


def test_the_services_count_makes_tokens_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, recorder = Clock(monkeypatch), Recorder()
    for generated in (500, 900, 900, 100, 300):  # it was restarted in between
        recorder.record(ServiceMetrics(generated=generated, running=2, waiting=3), [])
        clock.now += 10
    assert [p.tokens_per_second for p in recorder.points] == [40, 0, 0, 20]
    assert {(p.running, p.waiting) for p in recorder.points} == {(2, 3)}


def test_a_service_that_begins_to_tell_makes_no_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, recorder = Clock(monkeypatch), Recorder()
    for generated in (None, None, 1_000_000, 1_000_100):
        recorder.record(ServiceMetrics(generated=generated), [])
        clock.now += 10
    assert [p.tokens_per_second for p in recorder.points] == [0, 0, 10]


def test_an_hour_is_kept_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, recorder = Clock(monkeypatch), Recorder()
    for _ in range(1000):
        recorder.record(ServiceMetrics(), [])
        clock.now += 10
    assert len(recorder.points) == 360


async def test_what_was_answered_is_counted_by_server_and_persona(page: Page) -> None:
    chat, hours = page.chat, page.chat.core.store.hours
    await chat.answer("Hi", ANN, PLACE)
    await chat.answer("Hi", ANN, PLACE)
    await chat.answer("Hi", ANN, Place("slack", ANN.id, "D1", direct=True))
    await page.live.recorder.store(hours)
    await page.live.recorder.store(hours)  # counts nothing twice
    used = await hours.used(this_hour())
    assert {key: counts.answers for key, counts in used.items()} == {
        ("discord", PLACE.server, "default"): 2,
        ("slack", "", "default"): 1,
    }
    (counts,) = (await hours.answers(this_hour())).values()
    assert (counts.answers, counts.prompt_tokens, counts.completion_tokens) == (3, 30, 21)
    assert counts.first_texts == 3
    html = await page.text()
    assert "Discord, server 1" in html
    assert "Slack, direct messages" in html
    assert PLACE.server not in html
    columns = (await page.http.get("/plots/days")).json()
    assert len({len(column) for column in columns.values()}) == 1
    assert columns["at"][-1] == this_hour().timestamp()
    assert columns["first_text"][-1] is not None
    assert columns["first_text"][0] is None


async def test_the_plots_of_the_hour_have_a_row_for_each_point(page: Page) -> None:
    columns = (await page.http.get("/plots/hour")).json()
    assert set(columns) == {
        "at",
        "tokens_per_second",
        "answer_speed",
        "first_text",
        "running",
        "waiting",
    }


async def test_hours_add_up_and_go_after_a_month(database: str) -> None:
    now = this_hour()
    old = now - KEPT_FOR - timedelta(hours=2)
    key = AnswersKey(now, "discord", "s", "p")
    counts = AnswerCounts(1, 0, 5, 1, 7, 1, 0.5, 7, 2.0)
    async with Store.open(database) as store, Store.open(database) as other:
        await store.hours.add({key._replace(hour=old): counts}, {old: Load(1, 1, 1, 1, 1.0)})
        await store.hours.add({key: counts}, {now: Load(1, 1, 4, 4, 30.0)})
        await other.hours.add({key: counts}, {now: Load(2, 1, 3, 2, 50.0)})
        assert await store.hours.answers(old) == {
            now: AnswerCounts(2, 0, 10, 2, 14, 2, 1.0, 14, 4.0)
        }
        assert await store.hours.load(old) == {now: Load(3, 2, 7, 4, 50.0)}
        assert await store.servers() == [("discord", "s")]


async def test_what_could_not_be_stored_is_stored_the_next_time(tmp_path: Path) -> None:
    recorder, key = Recorder(), AnswersKey(this_hour(), "discord", "s", "p")
    recorder.answers_by_hour[key] = AnswerCounts(answers=1)
    async with Store.open(f"sqlite+aiosqlite:///{tmp_path / 'bot.db'}") as store:
        async with store.engine.begin() as connection:
            await connection.execute(text("ALTER TABLE answers_by_hour RENAME TO away"))
        with pytest.raises(StorageError):
            await recorder.store(store.hours)
        async with store.engine.begin() as connection:
            await connection.execute(text("ALTER TABLE away RENAME TO answers_by_hour"))
        await recorder.store(store.hours)
        assert recorder.answers_by_hour == {}
        assert (await store.hours.answers(this_hour()))[this_hour()].answers == 1
