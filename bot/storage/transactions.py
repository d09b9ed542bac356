"""Reading and writing the database, each in a transaction of its own kind.

A method of a `Stored` class is marked `@reads` or `@writes`: it gets a session whose transaction
lasts as long as the method, and callers leave the session out.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from bot.storage.database import Database, storage_errors

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="Stored")

Method = Callable[Concatenate[S, AsyncSession, P], Coroutine[Any, Any, T]]
Marked = Callable[Concatenate[S, P], Awaitable[T]]


class Transactions:
    """Runs transactions, and knows those that have not ended yet."""

    def __init__(self, database: Database) -> None:
        self.reading = _sessions(database.reading)
        self.writing = _sessions(database.writing)
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Let `work` run to its end, even if who asked for it is cancelled.

        SQLite's lock would outlive a transaction that is cut off in the middle of a statement.
        """
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def ended(self, seconds: float) -> None:
        """Wait for the transactions that run, at most `seconds`."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)


class Stored:
    """One kind of what is stored. All methods raise StorageError when the database fails."""

    def __init__(self, transactions: Transactions) -> None:
        self.transactions = transactions


def reads(method: Method[S, P, T]) -> Marked[S, P, T]:
    """Run a method in a transaction that only reads: it waits for no writer."""

    @wraps(method)
    async def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        transactions = self.transactions
        work = _in_transaction(transactions.reading, method, self, *args, **kwargs)
        return await transactions.run(work)

    return run


def writes(method: Method[S, P, T]) -> Marked[S, P, T]:
    """Run a method in a transaction that may write: only one of those runs at a time."""

    @wraps(method)
    async def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        transactions = self.transactions
        work = _in_transaction(transactions.writing, method, self, *args, **kwargs)
        return await transactions.run(work)

    return run


async def _in_transaction(
    sessions: async_sessionmaker[AsyncSession],
    method: Method[S, P, T],
    stored: S,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    with storage_errors("the database"):
        async with sessions.begin() as session:
            return await method(stored, session, *args, **kwargs)


def _sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    return async_sessionmaker(engine, expire_on_commit=False)
