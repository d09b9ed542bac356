"""Who changed what, and when: settings and personas, wherever they were changed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.storage.tables import ChangeRow, ScopeKey
from bot.storage.transactions import Stored, reads

MOST_CHANGES = 10_000
"""That are kept; the oldest go."""

Kind = Literal["setting", "persona"]


@dataclass(frozen=True)
class Change:
    """One change.

    name: the setting's or the persona's.
    before, after: a setting's values, or a persona's versions; None where there was or is none.
    by: who made it, by the platform's id.
    """

    at: datetime
    by: str
    scope: ScopeKey
    kind: Kind
    name: str
    before: Any
    after: Any


class StoredChanges(Stored):
    @reads
    async def newest(self, session: AsyncSession, most: int) -> list[Change]:
        """The last changes, the newest first."""
        query = select(ChangeRow).order_by(ChangeRow.id.desc()).limit(most)
        return [
            Change(
                row.at,
                row.by,
                ScopeKey(row.platform, row.scope_kind, row.scope_id),
                row.kind,
                row.name,
                row.before,
                row.after,
            )
            for row in await session.scalars(query)
        ]


async def note_change(
    session: AsyncSession,
    by: str,
    scope: ScopeKey,
    kind: Kind,
    name: str,
    before: Any,
    after: Any,
) -> None:
    """Note a change, in the transaction that makes it."""
    row = ChangeRow(
        at=datetime.now(UTC),
        by=by,
        platform=scope.platform,
        scope_kind=scope.kind,
        scope_id=scope.id,
        kind=kind,
        name=name,
        before=before,
        after=after,
    )
    session.add(row)
    await session.flush()
    await session.execute(delete(ChangeRow).where(ChangeRow.id <= row.id - MOST_CHANGES))
