"""Who changed what, and when: settings and personas, wherever they were changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.storage.tables import ChangeRow, ScopeKey
from bot.storage.transactions import Stored, reads, writes

MOST_CHANGES = 10_000
"""That are kept; the oldest go."""

MOST_OF_A_FILE = 200
"""Keys that are noted of one change of the configuration file."""
FILE = "file"
"""Who changed it, where the configuration file was changed."""

Kind = Literal["setting", "persona", "file"]


@dataclass(frozen=True)
class Change:
    """One change.

    scope: None for the configuration file.
    name: the setting's, the persona's, or the key's in the file.
    before, after: a setting's values, or a persona's versions; None where there was or is none.
    by: who made it, by the platform's id.
    """

    at: datetime
    by: str
    scope: ScopeKey | None
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
                ScopeKey(row.platform, row.scope_kind, row.scope_id) if row.platform else None,
                row.kind,
                row.name,
                row.before,
                row.after,
            )
            for row in await session.scalars(query)
        ]

    @writes
    async def note_file(
        self, session: AsyncSession, changed: Mapping[str, tuple[str | None, str | None]]
    ) -> None:
        """Note what was changed in the configuration file: keys, with values before and after."""
        for key, (before, after) in list(changed.items())[:MOST_OF_A_FILE]:
            nowhere = ScopeKey("", "server", "")
            await note_change(session, FILE, nowhere, "file", key, before, after)


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
