"""Where conversations start: what was said before doesn't belong to them."""

from collections.abc import Sequence

from sqlalchemy import and_, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.storage.tables import ConversationStartRow, ScopeKey
from bot.storage.transactions import Stored, writes

BEGINNING = "0"
"""Before every message."""


class StoredConversationStarts(Stored):
    @writes
    async def set(self, session: AsyncSession, scope: ScopeKey, after: str) -> None:
        """Let the conversation in a scope start after the message with the id `after`."""
        await session.merge(
            ConversationStartRow(
                platform=scope.platform, scope_kind=scope.kind, scope_id=scope.id, after=after
            )
        )


async def conversation_start_in(session: AsyncSession, scopes: Sequence[ScopeKey]) -> str:
    """The newest id after which a conversation in all of `scopes` starts; "0" for none.

    A channel's start is that of its threads too.
    """
    row = ConversationStartRow
    matches = (
        and_(
            row.platform == scope.platform,
            row.scope_kind == scope.kind,
            row.scope_id == scope.id,
        )
        for scope in scopes
    )
    ids = (await session.scalars(select(row.after).where(or_(false(), *matches)))).all()
    # Of two numbers, the longer one is the greater.
    return max(BEGINNING, *ids, key=lambda id: (len(id), id)) if ids else BEGINNING
