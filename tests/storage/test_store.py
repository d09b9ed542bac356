"""What the bot keeps, in a real SQLite file, and in PostgreSQL where there is one to test with."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import alembic.command
import alembic.config
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, text

from bot.storage import ScopeKey, StorageError, Store, TakenQuestion, UsageSum
from bot.storage.database import MIGRATIONS
from bot.storage.tables import Base

CHANNEL = ScopeKey("test", "channel", "1")
SERVER = ScopeKey("test", "server", "1")
HERE = ("test", "server")


def url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'data' / 'bot.db'}"


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    async with Store.open(database) as store:
        yield store


async def save(store: Store, prompt: str) -> int:
    return (await store.personas.save(*HERE, "pirate", prompt=prompt, by="ann")).version


async def current_prompt(store: Store) -> str | None:
    return next((p.prompt for p in await store.personas.newest(*HERE)), None)


async def test_settings_are_kept_by_scope_and_key(store: Store) -> None:
    await store.settings.set(CHANNEL, "effort", "high", "ann")
    await store.settings.set(CHANNEL, "effort", "low", "ben")
    await store.settings.set(SERVER, "show_reasoning", True, "ann")
    assert await store.settings.get([CHANNEL, SERVER]) == {
        CHANNEL: {"effort": "low"},
        SERVER: {"show_reasoning": True},
    }
    assert await store.settings.get([ScopeKey("other", "channel", "1")]) == {}
    assert await store.settings.get([]) == {}


async def test_what_was_begun_is_kept_though_who_asked_is_cancelled(store: Store) -> None:
    for turns in range(1, 100):
        counting = asyncio.create_task(store.usage.add(*HERE, "ann", requests=1))
        for _ in range(turns):
            await asyncio.sleep(0)
        counting.cancel()
        await asyncio.wait({counting})
    await store.transactions.ended(60)
    assert (await store.usage.of("test")).requests == 99


async def test_everything_is_there_after_a_restart(database: str) -> None:
    async with Store.open(database) as store:
        await store.settings.set(CHANNEL, "effort", "high", "ann")
        await save(store, "Arr.")
    async with Store.open(database) as store:
        assert await store.settings.get([CHANNEL]) == {CHANNEL: {"effort": "high"}}
        assert await current_prompt(store) == "Arr."


async def test_the_newest_version_of_a_persona_is_in_force(store: Store) -> None:
    assert [await save(store, "one"), await save(store, "two")] == [1, 2]
    assert await current_prompt(store) == "two"
    assert [v.prompt for v in await store.personas.versions(*HERE, "pirate")] == ["two", "one"]


async def test_undo_goes_back_one_version_each_time(store: Store) -> None:
    for prompt in ("one", "two", "three"):
        await save(store, prompt)
    await store.personas.undo(*HERE, "pirate", "ann")
    assert await current_prompt(store) == "two"
    await store.personas.undo(*HERE, "pirate", "ann")
    assert await current_prompt(store) == "one"
    assert await store.personas.undo(*HERE, "pirate", "ann") is None
    assert await current_prompt(store) == "one"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.sampled_from(["save", "delete", "undo"]), max_size=12))
async def test_undo_always_shows_what_was_seen_before_and_no_version_is_lost(
    store: Store, steps: list[str]
) -> None:
    server = ("test", str(uuid4()))  # one that no earlier example used
    seen: list[str | None] = []
    versions = 0
    for number, step in enumerate(steps):
        if step == "save":
            await store.personas.save(*server, "pirate", prompt=str(number), by="ann")
            seen.append(str(number))
            versions += 1
        elif step == "delete" and seen:
            await store.personas.delete(*server, "pirate", "ann")
            seen.append(None)
            versions += 1
        elif step == "undo":
            undone = await store.personas.undo(*server, "pirate", "ann")
            assert (undone is not None) == (len(seen) > 1)
            if undone is not None:
                seen.pop()
                versions += 1
        in_force = [p.prompt for p in await store.personas.newest(*server)]
        assert in_force == [p for p in seen[-1:] if p is not None]
        kept = await store.personas.versions(*server, "pirate")
        assert [v.version for v in kept] == list(range(versions, 0, -1))


async def test_undo_brings_a_deleted_persona_back(store: Store) -> None:
    await save(store, "one")
    await store.personas.delete(*HERE, "pirate", "ann")
    assert await current_prompt(store) is None
    await store.personas.undo(*HERE, "pirate", "ann")
    assert await current_prompt(store) == "one"


async def test_each_server_has_its_own_personas(store: Store) -> None:
    await save(store, "one")
    assert await store.personas.newest("test", "elsewhere") == []
    assert await store.personas.versions("other", "server", "pirate") == []


async def test_usage_adds_up(store: Store) -> None:
    for server in ("a", "a", "b"):
        await store.usage.add(
            "test", server, "ann", requests=1, prompt_tokens=10, completion_tokens=5
        )
    await store.usage.add("test", "a", "ben", requests=1)
    usage = await store.usage.of("test", user_id="ann")
    assert (usage.requests, usage.prompt_tokens, usage.completion_tokens) == (3, 30, 15)


async def test_the_usage_of_a_server_is_that_of_all_its_people(store: Store) -> None:
    for server, user in (("a", "ann"), ("a", "ben"), ("b", "ann")):
        await store.usage.add("test", server, user, requests=1)
    assert (await store.usage.of("test", server="a")).requests == 2


async def test_usage_by_the_day_of_the_first_version_is_kept(tmp_path: Path) -> None:
    database = of_version(tmp_path, "0001")
    database.execute("INSERT INTO usage VALUES ('test', 'a', 'ann', '2026-11-20', 3, 30, 20)")
    database.commit()
    async with Store.open(url(tmp_path)) as store:
        since = datetime(2026, 11, 20, tzinfo=UTC)
        assert await store.usage.of("test", user_id="ann", since=since) == UsageSum(3, 30, 20)


async def test_what_was_kept_among_the_settings_moves_to_tables_of_its_own(tmp_path: Path) -> None:
    database = of_version(tmp_path, "0004")
    database.executemany(
        "INSERT INTO settings VALUES (?, ?, ?, ?, ?, '2026-11-20', '')",
        [
            ("test", "channel", "1", "forgotten_until", '"1234"'),
            ("test", "channel", "1", "effort", '"high"'),
            ("discord", "server", "application-42", "commands", '"abc"'),
        ],
    )
    database.commit()
    async with Store.open(url(tmp_path)) as store:
        here = await store.place("test", "1", [CHANNEL])
        assert (here.settings, here.conversation_start) == ({CHANNEL: {"effort": "high"}}, "1234")
        assert await store.registrations.get("discord", "42") == "abc"
        assert await store.settings.get([ScopeKey("discord", "server", "application-42")]) == {}


def of_version(folder: Path, revision: str) -> sqlite3.Connection:
    """A database as the version that ended with this migration made it."""
    (folder / "data").mkdir()
    file = folder / "data" / "bot.db"
    config = alembic.config.Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with create_engine(f"sqlite:///{file}").begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, revision)
    return sqlite3.connect(file)


async def test_who_reads_waits_for_no_writer(tmp_path: Path) -> None:
    async with Store.open(url(tmp_path)) as store:
        await store.settings.set(CHANNEL, "effort", "high", "ann")
        other = sqlite3.connect(tmp_path / "data" / "bot.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM settings")
        assert await store.settings.get([CHANNEL]) == {CHANNEL: {"effort": "high"}}
        other.execute("COMMIT")
        assert await store.settings.get([CHANNEL]) == {}


async def test_the_newest_start_of_a_conversation_counts(store: Store) -> None:
    thread = ScopeKey("test", "thread", "2")
    assert (await store.place("test", "1", [thread, CHANNEL])).conversation_start == "0"
    await store.conversation_starts.set(CHANNEL, "99")
    await store.conversation_starts.set(thread, "100")
    assert (await store.place("test", "1", [thread, CHANNEL])).conversation_start == "100"
    assert (await store.place("test", "1", [CHANNEL])).conversation_start == "99"


async def test_usage_at_the_same_time_is_all_counted(store: Store) -> None:
    await asyncio.gather(*(store.usage.add("test", "a", "ann", requests=1) for _ in range(20)))
    assert (await store.usage.of("test", user_id="ann")).requests == 20


async def test_feedback_is_one_vote_a_person_and_answer(store: Store) -> None:
    for channel, user, vote in (
        ("a", "ann", 1),
        ("a", "ann", -1),
        ("a", "ben", 1),
        ("b", "ann", 1),
    ):
        await store.feedback.set("test", "server", channel, "message", user, vote)
    async with store.engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT channel, user_id, vote FROM feedback ORDER BY 1, 2")
        )
        assert rows.all() == [("a", "ann", -1), ("a", "ben", 1), ("b", "ann", 1)]


async def test_a_database_in_memory_serves_many_at_once() -> None:
    async with Store.open("sqlite+aiosqlite:///:memory:") as store:
        await asyncio.gather(*(store.usage.add("test", "a", "ann", requests=1) for _ in range(5)))
        assert (await store.usage.of("test", user_id="ann")).requests == 5


async def test_processes_that_start_together_make_the_tables_once(database: str) -> None:
    program = f"""if True:
        import asyncio
        from bot.storage import Store
        async def main():
            async with Store.open({database!r}) as store:
                await store.usage.add("test", "a", "ann", requests=1)
        asyncio.run(main())
    """
    started = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", program) for _ in range(3)
    ]
    assert [await process.wait() for process in started] == [0, 0, 0]
    async with Store.open(database) as store:
        assert (await store.usage.of("test", user_id="ann")).requests == 3


async def test_two_stores_can_use_one_database(database: str) -> None:
    async with Store.open(database) as one, Store.open(database) as two:
        stores = [one, two] * 10
        await asyncio.gather(*(s.usage.add("test", "a", "ann", requests=1) for s in stores))
        assert (await one.usage.of("test", user_id="ann")).requests == 20


async def test_forgetting_a_person_leaves_nothing_of_theirs(store: Store) -> None:
    await store.usage.add("test", "a", "ann-id", requests=1)
    await store.feedback.set("test", "a", "channel", "message", "ann-id", 1)
    await store.settings.set(CHANNEL, "effort", "high", "ann-id")
    await store.personas.save(*HERE, "pirate", prompt="Arr.", by="ann-id")
    await store.usage.add("test", "a", "ben-id", requests=1)

    await store.forget_user("test", "ann-id")

    kept = ""
    async with store.engine.connect() as connection:
        for table in Base.metadata.tables:
            kept += str((await connection.execute(text(f"SELECT * FROM {table}"))).all())
    assert "ann-id" not in kept
    assert "ben-id" in kept
    assert await store.settings.get([CHANNEL]) == {CHANNEL: {"effort": "high"}}
    assert await current_prompt(store) == "Arr."


async def test_others_on_the_machine_can_not_read_the_files(tmp_path: Path) -> None:
    async with Store.open(url(tmp_path)) as store:
        await store.settings.set(CHANNEL, "effort", "high", "ann")
        rights = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "data").iterdir()}
    assert rights == {"bot.db": 0o600, "bot.db-wal": 0o600, "bot.db-shm": 0o600}


async def test_files_that_others_could_read_are_made_private(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("bot.db", "bot.db-wal", "bot.db-shm"):
        (folder / name).touch()
        (folder / name).chmod(0o644)
    async with Store.open(url(tmp_path)) as store:
        await store.settings.set(CHANNEL, "effort", "high", "ann")
        assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


async def test_a_corrupt_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bot.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match=r"bot\.db: file is not a database"):
        async with Store.open(url(tmp_path)):
            pass


async def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    async with Store.open(url(tmp_path)):
        pass
    with sqlite3.connect(tmp_path / "data" / "bot.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError, match=r"bot\.db: a newer gptoss-bot") as raised:
        async with Store.open(url(tmp_path)):
            pass
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "bad",
    [
        "nonsense",
        "nosuchdb://x",
        "sqlite:///bot.db",
        "sqlite+aiosqlite://host:port/bot.db",
        "sqlite+aiosqlite:////proc/x/bot.db",
        "sqlite+aiosqlite:////proc",
    ],
)
async def test_an_address_that_cannot_be_opened_is_named(bad: str) -> None:
    with pytest.raises(StorageError, match=r"storage\.url") as raised:
        async with Store.open(bad):
            pass
    assert "\n" not in str(raised.value)


async def test_a_password_in_the_address_is_never_shown() -> None:
    with pytest.raises(StorageError) as raised:
        async with Store.open("nosuchdb://me:hunter2@host/db"):
            pass
    assert "hunter2" not in str(raised.value)


async def test_the_migrations_make_the_tables_that_the_code_expects(store: Store) -> None:
    # slack_sdk has its own
    ours = {"include_name": lambda name, kind, _: not str(name).startswith("slack_")}

    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts=ours)
        return compare_metadata(context, Base.metadata)

    async with store.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_what_a_run_took_and_did_not_admit_is_taken_again_once_it_has_ended(
    database: str,
) -> None:
    question = TakenQuestion("test", "bot", "1", "home", "general", "thread")
    async with Store.open(database) as store:
        assert await store.take_question(question, [])
        assert await store.take_question(question, []) is None
        async with Store.open(database) as beside:
            assert await beside.take_question(question, []) is None
            assert await beside.questions.left("test", "bot") == []
    async with Store.open(database) as store:
        assert await store.questions.left("test", "bot") == [question]
        assert await store.take_question(question, [])
        assert await store.questions.left("test", "bot") == []
        await store.questions.settle(question)
    async with Store.open(database) as store:
        assert await store.questions.left("test", "bot") == []
        assert await store.take_question(question, []) is None
