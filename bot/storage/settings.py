"""What was set in chat, by scope and key."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from async_lru import alru_cache
from sqlalchemy import and_, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.storage.changes import note_change
from bot.storage.tables import ScopeKey, SettingRow
from bot.storage.transactions import Stored, Transactions, reads, writes

RECENT_SECONDS = 30.0

SettingsByScope = Mapping[ScopeKey, Mapping[str, Any]]
"""The values that were set, by scope and key; scopes without any are left out."""


class StoredSettings(Stored):
    def __init__(self, transactions: Transactions) -> None:
        super().__init__(transactions)
        self.recent = alru_cache(maxsize=10_000, ttl=RECENT_SECONDS)(self._recent)
        """As `get` for a tuple of scopes: what everybody's messages depend on, without a read each.

        What this process sets is in effect at once, what others set some seconds later.
        """

    async def _recent(self, scopes: tuple[ScopeKey, ...]) -> SettingsByScope:
        return await self.get(scopes)

    @reads
    async def get(self, session: AsyncSession, scopes: Sequence[ScopeKey]) -> SettingsByScope:
        return await settings_in(session, scopes)

    async def set(self, scope: ScopeKey, key: str, value: Any, by: str) -> None:
        """Set a value; `by` is the id of who did."""
        await self._set(scope, key, value, by)
        self.recent.cache_clear()

    @writes
    async def _set(
        self, session: AsyncSession, scope: ScopeKey, key: str, value: Any, by: str
    ) -> None:
        before = await session.get(SettingRow, (scope.platform, scope.kind, scope.id, key))
        if before is None or before.value != value:
            old = None if before is None else before.value
            await note_change(session, by, scope, "setting", key, old, value)
        await session.merge(
            SettingRow(
                platform=scope.platform,
                scope_kind=scope.kind,
                scope_id=scope.id,
                key=key,
                value=value,
                updated_at=datetime.now(UTC),
                updated_by=by,
            )
        )


async def settings_in(session: AsyncSession, scopes: Sequence[ScopeKey]) -> SettingsByScope:
    """What was set for each of `scopes`."""
    matches = (
        and_(
            SettingRow.platform == scope.platform,
            SettingRow.scope_kind == scope.kind,
            SettingRow.scope_id == scope.id,
        )
        for scope in scopes
    )
    found: dict[ScopeKey, dict[str, Any]] = {}
    for row in await session.scalars(select(SettingRow).where(or_(false(), *matches))):
        scope = ScopeKey(row.platform, row.scope_kind, row.scope_id)
        found.setdefault(scope, {})[row.key] = row.value
    return found
