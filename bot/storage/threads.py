"""Threads that the bot takes part in, so that a platform need not be asked at every message."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from bot.storage.tables import ThreadRow
from bot.storage.transactions import Stored, reads, writes

REMEMBERED_FOR = timedelta(days=365)
"""After the bot joined."""


class StoredThreads(Stored):
    """Since which message the bot takes part in a thread."""

    @reads
    async def since(
        self, session: AsyncSession, platform: str, server: str, channel: str, thread: str
    ) -> str | None:
        """The id of the message that the bot joined the thread with; None where it is not in it."""
        row = await session.get(ThreadRow, (platform, server, channel, thread))
        return None if row is None else row.since

    @writes
    async def join(
        self,
        session: AsyncSession,
        platform: str,
        server: str,
        channel: str,
        thread: str,
        message: str,
    ) -> None:
        """Take part in the thread since `message`; in one that the bot is in nothing changes."""
        await join_in(session, platform, server, channel, thread, message)

    @writes
    async def leave(
        self, session: AsyncSession, platform: str, server: str, channel: str, thread: str
    ) -> None:
        """Take no part in the thread any more."""
        if row := await session.get(ThreadRow, (platform, server, channel, thread)):
            await session.delete(row)


async def join_in(
    session: AsyncSession, platform: str, server: str, channel: str, thread: str, message: str
) -> None:
    """See StoredThreads.join."""
    if await session.get(ThreadRow, (platform, server, channel, thread)):
        return
    now = datetime.now(UTC)
    await session.execute(delete(ThreadRow).where(ThreadRow.joined_at < now - REMEMBERED_FOR))
    session.add(
        ThreadRow(
            platform=platform,
            server=server,
            channel=channel,
            thread=thread,
            since=message,
            joined_at=now,
        )
    )
