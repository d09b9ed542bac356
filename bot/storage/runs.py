"""The runs of the bot that share a database, and whether one still goes on.

A run is named after its machine and process, so that a bot that starts beside another one takes
nothing from it. What lives on this machine is seen in its processes. A run on another machine says
in the database that it goes on, every few seconds by the database's clock; SQLite's file is one
machine's, so there its runs have ended.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import structlog
from sqlalchemy import delete, func, select, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.storage.database import StorageError
from bot.storage.tables import RunRow, UtcDateTime
from bot.storage.transactions import Stored, Transactions, writes

log = structlog.get_logger()

BEAT_SECONDS = 10.0
"""How often a run says that it goes on."""
LEASE_SECONDS = 30.0
"""A run on another machine that has not said so for so long has ended."""
FORGOTTEN = timedelta(days=1)
"""When the row of a run that died is deleted."""

_of_this_process: set[str] = set()


class StoredRuns(Stored):
    """This run and those beside it; `name` is this one's."""

    def __init__(self, transactions: Transactions, *, several_machines: bool) -> None:
        super().__init__(transactions)
        host, pid = socket.gethostname(), os.getpid()
        self.name = f"{host}/{pid}/{_started(pid)}/{uuid4().hex}"
        self._several_machines = several_machines
        self._beats_since = self._last_beat = 0.0
        """By the monotonic clock, since when this run has said regularly that it goes on."""
        self._others: set[str] = set()
        self._when_one_ends: list[Callable[[], Awaitable[None]]] = []

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Inside, this run goes on. Raises StorageError."""
        _of_this_process.add(self.name)
        try:
            if not self._several_machines:
                yield
                return
            await self._beat()
            beating = asyncio.create_task(self._keep_beating())
            try:
                yield
            finally:
                beating.cancel()
                with suppress(asyncio.CancelledError):
                    await beating
                with suppress(StorageError):  # the others find out when it says nothing more
                    await self._end()
        finally:
            _of_this_process.discard(self.name)

    def when_one_ends(self, call: Callable[[], Awaitable[None]]) -> None:
        """Call `call` whenever another run has ended, which may have left something."""
        self._when_one_ends.append(call)

    async def goes_on(self, session: AsyncSession, run: str) -> bool:
        """Whether a run has not ended, as far as can be known."""
        if (lives := _lives_here(run)) is not None:
            return lives
        seen = await session.scalar(select(RunRow.seen_at).where(RunRow.run == run))
        return seen is not None and await self._is_fresh(session, seen)

    async def _is_fresh(self, session: AsyncSession, seen: datetime) -> bool:
        """While nobody could reach the database, nobody could say anything: all then have time."""
        if time.monotonic() - self._beats_since < LEASE_SECONDS:
            return True
        return await _now(session) - seen < timedelta(seconds=LEASE_SECONDS)

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                if await self._beat():
                    for call in self._when_one_ends:
                        await call()
            except StorageError as error:
                log.error("the database failed", error=str(error))

    @writes
    async def _beat(self, session: AsyncSession) -> bool:
        """Say that this run goes on; whether another one has ended since the last time."""
        now = time.monotonic()
        if now - self._last_beat > LEASE_SECONDS:
            self._beats_since = now
        self._last_beat = now
        row = RunRow
        mine = update(row).where(row.run == self.name).values(seen_at=func.now()).returning(row.run)
        if (await session.execute(mine)).first() is None:
            session.add(RunRow(run=self.name, seen_at=func.now()))
            await session.execute(delete(row).where(row.seen_at < await _now(session) - FORGOTTEN))
        others = await session.scalars(select(row.run).where(row.run != self.name))
        going_on = {run for run in others if await self.goes_on(session, run)}
        ended, self._others = self._others - going_on, going_on
        return bool(ended)

    @writes
    async def _end(self, session: AsyncSession) -> None:
        await session.execute(delete(RunRow).where(RunRow.run == self.name))


async def _now(session: AsyncSession) -> datetime:
    """By the database's clock: those of the machines may differ."""
    return (await session.execute(select(type_coerce(func.now(), UtcDateTime)))).scalar_one()


def _lives_here(run: str) -> bool | None:
    """Whether the process of a run lives; None for one of another machine."""
    host, _, rest = run.partition("/")
    pid, _, rest = rest.partition("/")
    started, _, _ = rest.partition("/")
    if host != socket.gethostname() or not pid.isdecimal():
        return None
    if int(pid) == os.getpid():
        return run in _of_this_process
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    """When a process began, in the clock ticks of Linux; "" where that can't be read."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19]
    except OSError:
        return ""
