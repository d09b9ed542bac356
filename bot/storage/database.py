"""Opening the database: pragmas, migrations, and errors in one line."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x626F74
"""PostgreSQL's advisory lock, which every writing transaction holds; any number will do."""


LOCKED_SECONDS = 30.0
"""How long a start waits for another process that opens the same new file."""


class StorageError(Exception):
    """The database can't be used as asked; one line that names it and says why."""


@dataclass(frozen=True)
class Database:
    """The ways to one database: SQLite's readers wait for no writer."""

    reading: AsyncEngine
    writing: AsyncEngine

    async def dispose(self) -> None:
        await self.reading.dispose()
        await self.writing.dispose()


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """The database at an SQLAlchemy URL, at this version's schema. Raises StorageError."""
    where = f"storage.url: {_shown(url)}"
    database = _engines_for(url, where)
    try:
        with storage_errors(where):
            _make_file(database.writing.url)
            _keep_private(database.writing.url)
            await _migrate_once_free(database, where)
        yield database
    finally:
        await database.dispose()


def _is_locked(error: BaseException) -> bool:
    """Whether SQLite was busy: it does not always wait while another process begins to use WAL."""
    return isinstance(error, OperationalError) and "locked" in str(error.orig)


async def _migrate_once_free(database: Database, where: str) -> None:
    """Bring the schema up to date; wait while another process begins to use the same new file."""
    try:
        await _migrate_now(database, where)
    except OperationalError as error:
        if not _is_locked(error):
            raise
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random

        retrying = AsyncRetrying(
            retry=retry_if_exception(_is_locked),
            wait=wait_random(0.05, 0.25),
            stop=stop_after_delay(LOCKED_SECONDS),
            reraise=True,
        )
        await retrying(_migrate_now, database, where)


async def _migrate_now(database: Database, where: str) -> None:
    async with database.writing.begin() as connection:
        await connection.run_sync(_migrate, where)


async def check_database(url: str) -> None:
    """Raise StorageError unless `open_database` would work; nothing is changed."""
    where = f"storage.url: {_shown(url)}"
    database = _engines_for(url, where)
    address = database.writing.url
    file = Path(str(address.database)) if address.get_backend_name() == "sqlite" else None
    is_new = file is not None and _is_file(address) and not file.exists()
    try:
        with storage_errors(where):
            _make_file(address)
            async with database.writing.connect() as connection:
                transaction = await connection.begin()
                await connection.run_sync(_migrate, where)
                await transaction.rollback()
    finally:
        await database.dispose()
        if file and is_new:
            with suppress(OSError):  # it could not be made
                file.unlink()


def _engines_for(url: str, where: str) -> Database:
    try:
        return _create_engines(make_url(url))
    except (SQLAlchemyError, ImportError, ValueError) as error:  # ValueError: the port
        reason = f"{_reason(error)}; allowed: such as sqlite+aiosqlite:///data/bot.db"
        raise StorageError(f"{where} can't be opened: {reason}") from error


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn what the database raises into a StorageError about `what`."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise StorageError(f"{what}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """In one line, without the values of a statement, which SQLAlchemy's own text has."""
    if isinstance(error, StatementError):
        error = error.orig or error
    text: object = error
    if isinstance(error, OSError):
        text = error.strerror or error
    elif isinstance(error, SQLAlchemyError) and error.args:
        text = error.args[0]
    return " ".join(str(text).split())


def _create_engines(url: URL) -> Database:
    if url.get_backend_name() != "sqlite":
        # A reader sees the database as it was at its first statement.
        reading = create_async_engine(url, pool_pre_ping=True, isolation_level="REPEATABLE READ")
        writing = create_async_engine(url, pool_pre_ping=True)
        if writing.dialect.name == "postgresql":
            event.listen(writing.sync_engine, "begin", _take_lock)
        return Database(reading, writing)
    # SQLite has one writer at a time. One connection makes transactions wait for each other in
    # order; several would poll for the file's lock.
    writing = create_async_engine(url, poolclass=AsyncAdaptedQueuePool, pool_size=1, max_overflow=0)
    event.listen(writing.sync_engine, "connect", _set_pragmas)
    event.listen(writing.sync_engine, "begin", _begin_immediately)
    if not _is_file(url):
        return Database(writing, writing)  # a database in memory is its connection's own
    reading = create_async_engine(url, poolclass=AsyncAdaptedQueuePool)
    event.listen(reading.sync_engine, "connect", _set_pragmas_of_reader)
    event.listen(reading.sync_engine, "begin", _begin)
    return Database(reading, writing)


def _is_file(url: URL) -> bool:
    return not (url.database or ":memory:").startswith((":memory:", "file:"))


def _make_file(url: URL) -> None:
    """Make SQLite's file and its folders, or raise the OSError that says why it can't be written.

    SQLite would say less, and aiosqlite's thread may end with a traceback when connecting fails.
    """
    if url.get_backend_name() == "sqlite" and _is_file(url):
        path = Path(str(url.database))
        path.parent.mkdir(parents=True, exist_ok=True)
        # SQLite gives its other files the rights of this one.
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600))


def _keep_private(url: URL) -> None:
    """Let only their owner read SQLite's files, whoever made them: a copy, or an earlier version.

    Files of somebody else, whose group the bot is in, stay as they are.
    """
    if url.get_backend_name() != "sqlite" or not _is_file(url):
        return
    for ending in ("", "-wal", "-shm"):
        with suppress(PermissionError, FileNotFoundError):
            Path(f"{url.database}{ending}").chmod(0o600)


def _migrate(connection: Connection, where: str) -> None:
    newest = max(file.name for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    if newest.startswith(f"{_revision(connection)}_"):
        return
    from bot.storage.upgrading import TooNew, upgrade  # only here: it takes a quarter of a second

    try:
        upgrade(connection, MIGRATIONS)
    except TooNew as error:
        raise StorageError(
            f"{where}: a newer gptoss-bot than this one made it ({_reason(error)});"
            " update the bot, or set storage.url to another database"
        ) from error


def _revision(connection: Connection) -> str | None:
    """The last migration that the database has seen; None for a new one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _set_pragmas(connection: Any, _: object) -> None:
    _configure(connection, "busy_timeout=5000", "journal_mode=WAL", "foreign_keys=ON")


def _set_pragmas_of_reader(connection: Any, _: object) -> None:
    _configure(connection, "busy_timeout=5000", "query_only=ON")


def _configure(connection: Any, *pragmas: str) -> None:
    # The driver's own transactions begin too late for a migration (sqlite3's legacy mode).
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """Take no lock: in WAL mode a reader sees one state, whatever is written meanwhile.

    https://sqlite.org/isolation.html
    """
    connection.exec_driver_sql("BEGIN")


def _begin_immediately(connection: Connection) -> None:
    """Take the write lock at once: two processes can't both read and then both want to write.

    https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#pysqlite-serializable
    """
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _take_lock(connection: Connection) -> None:
    """Let those that may write follow each other, as SQLite's do: what one has read stays true.

    A question costs a few short ones, so that a lock for all is simpler than trying again.
    https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
    """
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")


def _shown(url: str) -> str:
    """Without a password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "its value"
