"""Opening the database: pragmas, migrations, and errors in one line."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x626F74
"""PostgreSQL's advisory lock that every transaction holds; any number of our own will do."""


class StorageError(Exception):
    """The database can't be used as asked; one line that names it and says why."""


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[AsyncEngine]:
    """The database at an SQLAlchemy URL, at this version's schema. Raises StorageError."""
    where = f"storage.url: {_shown(url)}"
    try:
        engine = _create_engine(make_url(url))
    except (SQLAlchemyError, ImportError, ValueError) as error:  # ValueError: the port
        reason = f"{_reason(error)}; allowed: such as sqlite+aiosqlite:///data/bot.db"
        raise StorageError(f"{where} can't be opened: {reason}") from error
    try:
        with storage_errors(where):
            _make_file(engine.url)
            async with engine.begin() as connection:
                await connection.run_sync(_migrate, where)
        yield engine
    finally:
        await engine.dispose()


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn what the database raises into a StorageError about `what`."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise StorageError(f"{what}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """In one line, without the values of a statement: those are in SQLAlchemy's text alone."""
    if isinstance(error, StatementError):
        error = error.orig or error
    text: object = error
    if isinstance(error, OSError):
        text = error.strerror or error
    elif isinstance(error, SQLAlchemyError) and error.args:
        text = error.args[0]
    return " ".join(str(text).split())


def _create_engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() != "sqlite":
        engine = create_async_engine(url, pool_pre_ping=True)
        if engine.dialect.name == "postgresql":
            event.listen(engine.sync_engine, "begin", _take_lock)
        return engine
    # SQLite has one writer at a time. One connection makes transactions wait for each other in
    # order; several would poll for the file's lock.
    engine = create_async_engine(url, poolclass=AsyncAdaptedQueuePool, pool_size=1, max_overflow=0)
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    event.listen(engine.sync_engine, "begin", _begin_immediately)
    return engine


def _make_file(url: URL) -> None:
    """Make SQLite's file and its folders, or raise the OSError that says why it can't be written.

    SQLite would say less, and aiosqlite's thread may end with a traceback when connecting fails.
    """
    name = url.database or ":memory:"
    if url.get_backend_name() == "sqlite" and not name.startswith((":memory:", "file:")):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).open("ab").close()


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
    # The driver's own transactions begin too late for a migration (sqlite3's legacy mode).
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("busy_timeout=5000", "journal_mode=WAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediately(connection: Connection) -> None:
    """Take the write lock at once: two processes can't both read and then both want to write.

    https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#pysqlite-serializable
    """
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _take_lock(connection: Connection) -> None:
    """Let transactions follow each other, as SQLite's do: what one has read stays true.

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
