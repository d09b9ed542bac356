"""Whether another run goes on: on this machine by its process, elsewhere by what it says."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, update

from bot.storage import Store, TakenQuestion, runs
from bot.storage.tables import RunRow, TakenRow
from tests.waiting import HANG_SECONDS

QUESTION = TakenQuestion("test", "bot", "1", "home", "general", "thread")
ELSEWHERE = "elsewhere/1/1/1"
PROGRAM = """
import asyncio, sys
from bot.storage import Store

async def main():
    async with Store.open(sys.argv[1]) as store:
        print(store.runs.name, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def goes_on(store: Store, run: str) -> bool:
    async with store.transactions.writing() as session:
        return await store.runs.goes_on(session, run)


async def test_a_run_on_this_machine_goes_on_as_long_as_its_process(database: str) -> None:
    async with Store.open(database) as store:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, database, stdout=PIPE
        )
        assert process.stdout
        run = (await process.stdout.readline()).decode().strip()
        assert await goes_on(store, run)
        process.kill()
        await process.wait()
        assert not await goes_on(store, run)
        async with Store.open(database) as beside:
            assert await goes_on(store, beside.runs.name)
        assert not await goes_on(store, beside.runs.name)
        assert not await goes_on(store, ELSEWHERE)


@pytest.fixture
async def elsewhere(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Store, asyncio.Event]]:
    """A store, and a run on another machine that has taken a question; set once it has ended."""
    if database.startswith("sqlite"):
        pytest.skip("SQLite's file is one machine's")
    monkeypatch.setattr(runs, "BEAT_SECONDS", 0.05)
    async with Store.open(database) as store:
        async with store.transactions.writing.begin() as session:
            await session.execute(insert(RunRow).values(run=ELSEWHERE, seen_at=func.now()))
        assert await store.take_question(QUESTION, [])
        async with store.transactions.writing.begin() as session:
            await session.execute(update(TakenRow).values(run=ELSEWHERE))
        ended = asyncio.Event()

        async def note() -> None:
            ended.set()

        store.runs.when_one_ends(note)
        yield store, ended


async def test_what_a_run_on_another_machine_took_is_left_once_it_says_nothing_more(
    elsewhere: tuple[Store, asyncio.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, ended = elsewhere
    assert await store.take_question(QUESTION, []) is None
    assert await store.questions.left("test", "bot") == []
    monkeypatch.setattr(runs, "LEASE_SECONDS", 1.0)
    async with asyncio.timeout(HANG_SECONDS):
        await ended.wait()
    assert await store.questions.left("test", "bot") == [QUESTION]
    assert await store.take_question(QUESTION, [])


async def test_nobody_takes_a_run_for_dead_that_could_not_reach_the_database_either(
    elsewhere: tuple[Store, asyncio.Event], database: str
) -> None:
    store, _ = elsewhere
    async with store.transactions.writing.begin() as session:
        long_ago = datetime.now(UTC) - timedelta(hours=1)
        await session.execute(update(RunRow).values(seen_at=long_ago))
    async with Store.open(database) as returned:  # as if everything had been down for an hour
        assert await goes_on(returned, ELSEWHERE)
