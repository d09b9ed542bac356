"""Two bots that start at the same moment: one of them upgrades the database."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import alembic.command
import alembic.config
import pytest
from sqlalchemy import Connection, make_url

from bot.storage.database import MIGRATIONS, _create_engines

PROGRAM = """
import asyncio, sys
from bot.storage import Store, upgrading

upgrade = upgrading.upgrade
upgrading.upgrade = lambda *given: (print("upgraded", flush=True), upgrade(*given))
sys.stdin.readline()

async def main():
    async with Store.open(sys.argv[1]):
        print("open", flush=True)

asyncio.run(main())
"""


def upgrade_to(connection: Connection, revision: str) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, revision)


@pytest.mark.slow
@pytest.mark.parametrize("revision", [None, "0006"], ids=["empty", "old"])
async def test_the_tables_are_upgraded_once(
    database: str, revision: str | None, tmp_path: Path
) -> None:
    if revision is not None:
        (tmp_path / "data").mkdir()  # of SQLite's file
        engines = _create_engines(make_url(database))
        async with engines.writing.begin() as connection:
            await connection.run_sync(upgrade_to, revision)
        await engines.dispose()
    bots = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, database, stdin=PIPE, stdout=PIPE
        )
        for _ in range(2)
    ]
    said = await asyncio.gather(*(bot.communicate(b"go\n") for bot in bots))
    assert [bot.returncode for bot in bots] == [0, 0]
    assert sorted(line for out, _ in said for line in out.decode().split()) == [
        "open",
        "open",
        "upgraded",
    ]
