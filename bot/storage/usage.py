"""What people used, by the hour."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.storage.tables import UsageRow
from bot.storage.transactions import Stored, reads, writes

BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class UsageSum:
    """Sums over hours."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class StoredUsage(Stored):
    @writes
    async def add(
        self,
        session: AsyncSession,
        platform: str,
        server: str,
        user_id: str,
        *,
        requests: int = 0,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
    ) -> None:
        """Count what a person used in this hour."""
        used = UsageSum(requests, prompt_tokens, completion_tokens)
        await add_usage(session, platform, server, user_id, used)

    @reads
    async def of(
        self,
        session: AsyncSession,
        platform: str,
        *,
        user_id: str | None = None,
        server: str | None = None,
        since: datetime = BEGINNING,
    ) -> UsageSum:
        """What a person or a server used from the hour `since` on."""
        return await usage_in(session, platform, user_id=user_id, server=server, since=since)


async def usage_in(
    session: AsyncSession,
    platform: str,
    *,
    user_id: str | None = None,
    server: str | None = None,
    since: datetime = BEGINNING,
) -> UsageSum:
    """What a person or a server used from the hour `since` on."""
    query = select(
        func.coalesce(func.sum(UsageRow.requests), 0),
        func.coalesce(func.sum(UsageRow.prompt_tokens), 0),
        func.coalesce(func.sum(UsageRow.completion_tokens), 0),
    ).where(UsageRow.platform == platform, UsageRow.hour >= since)
    if user_id is not None:
        query = query.where(UsageRow.user_id == user_id)
    if server is not None:
        query = query.where(UsageRow.server == server)
    requests, prompt_tokens, completion_tokens = (await session.execute(query)).one()
    return UsageSum(requests, prompt_tokens, completion_tokens)


async def add_usage(
    session: AsyncSession,
    platform: str,
    server: str,
    user_id: str,
    used: UsageSum,
    hour: datetime | None = None,
) -> None:
    """Count what a person used in an hour, the one that is now if None."""
    hour = hour or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    # Added up by the database, so that two bots on one database lose no request.
    counted = (
        update(UsageRow)
        .where(
            UsageRow.platform == platform,
            UsageRow.server == server,
            UsageRow.user_id == user_id,
            UsageRow.hour == hour,
        )
        .values(
            requests=UsageRow.requests + used.requests,
            prompt_tokens=UsageRow.prompt_tokens + used.prompt_tokens,
            completion_tokens=UsageRow.completion_tokens + used.completion_tokens,
        )
        .returning(UsageRow.requests)
    )
    if await session.scalar(counted) is None:
        session.add(
            UsageRow(
                platform=platform,
                server=server,
                user_id=user_id,
                hour=hour,
                requests=used.requests,
                prompt_tokens=used.prompt_tokens,
                completion_tokens=used.completion_tokens,
            )
        )
