"""Opening the database: pragmas, migrations, and errors in one line."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import alembic.util
from sqlalchemy import event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

MIGRATIONS = Path(__file__).parent / "migrations"


class StorageError(Exception):
    """The database can't be used as asked; one line that names it and says why."""


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[AsyncEngine]:
    """The database at an SQLAlchemy URL, at this version's schema. Raises StorageError."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(parsed)
    except (ArgumentError, ImportError, OSError) as error:
        raise StorageError(f"storage.url: {_shown(url)} can't be opened: {error}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _set_pragmas)
        event.listen(engine.sync_engine, "begin", _begin_immediately)
    try:
        with storage_errors(f"storage.url: {_shown(url)}"):
            async with engine.begin() as connection:
                await connection.run_sync(_migrate)
        yield engine
    finally:
        await engine.dispose()


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn what the database raises into a StorageError about `what`."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        # SQLAlchemy's text shows the statement and its values, the driver's says what is wrong.
        reason = getattr(error, "orig", None) or error
        raise StorageError(f"{what}: {' '.join(str(reason).split())}") from error


def _migrate(connection: Connection) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        alembic.command.upgrade(config, "head")
    except alembic.util.CommandError as error:
        raise StorageError(
            f"the database is of a newer gptoss-bot than this one ({error});"
            " update the bot, or set storage.url to another database"
        ) from error


def _set_pragmas(connection: Any, _: object) -> None:
    # The driver's own transactions begin too late for a migration (sqlite3's legacy mode).
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediately(connection: Connection) -> None:
    """Take the write lock at once: two processes can't both read and then both want to write.

    https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#pysqlite-serializable
    """
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _shown(url: str) -> str:
    """Without a password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "its value"
