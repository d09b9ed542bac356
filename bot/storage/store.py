"""Everything that the bot keeps, behind one small class."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import and_, delete, false, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from bot.storage.database import open_database, storage_errors
from bot.storage.tables import (
    FeedbackRow,
    PersonaRow,
    PersonaVersionRow,
    ScopeKey,
    SettingRow,
    TakenRow,
    UsageRow,
)

NOBODY = ""
"""In the place of a person's id after they asked to be forgotten."""


TAKEN_FOR = timedelta(days=2)
"""How long a question is remembered; Slack repeats an event for at most an hour or so."""
BEGINNING = datetime.min.replace(tzinfo=UTC)
CLOSING_SECONDS = 5.0
"""How long what was begun may take at the end."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class StoredPersona:
    """One version of a server's persona."""

    name: str
    version: int
    prompt: str
    description: str
    effort: str | None
    deleted: bool
    restores: int | None
    created_at: datetime
    created_by: str


@dataclass(frozen=True)
class Usage:
    """Sums over hours."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


def _to_its_end(
    method: Callable[Concatenate["Store", P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate["Store", P], Awaitable[T]]:
    """Let a transaction that was begun run to its end, even if who asked for it is cancelled.

    SQLite's lock would outlive one that is cut off in the middle of a statement.
    """

    @wraps(method)
    async def run(store: "Store", /, *args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.create_task(method(store, *args, **kwargs))
        store.begun.add(task)
        task.add_done_callback(store.begun.discard)
        return await asyncio.shield(task)

    return run


class Store:
    """All methods raise StorageError when the database fails."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        """For what a library keeps in tables of its own."""
        self.begun: set[asyncio.Task[Any]] = set()
        """Transactions that have not ended yet."""
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator["Store"]:
        """The store in the database at `url`, its schema brought up to date."""
        async with open_database(url) as engine:
            store = cls(engine)
            try:
                yield store
            finally:
                if store.begun:
                    await asyncio.wait(store.begun, timeout=CLOSING_SECONDS)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncSession]:
        with storage_errors("the database"):
            async with self._sessions.begin() as session:
                yield session

    # Settings

    @_to_its_end
    async def get_settings(self, scopes: Sequence[ScopeKey]) -> dict[ScopeKey, dict[str, Any]]:
        """What was set for each of `scopes`; those without settings are left out."""
        matches = (
            and_(
                SettingRow.platform == scope.platform,
                SettingRow.scope_kind == scope.kind,
                SettingRow.scope_id == scope.id,
            )
            for scope in scopes
        )
        found: dict[ScopeKey, dict[str, Any]] = {}
        async with self._transaction() as session:
            for row in await session.scalars(select(SettingRow).where(or_(false(), *matches))):
                scope = ScopeKey(row.platform, row.scope_kind, row.scope_id)
                found.setdefault(scope, {})[row.key] = row.value
        return found

    @_to_its_end
    async def set_setting(self, scope: ScopeKey, key: str, value: Any, by: str) -> None:
        async with self._transaction() as session:
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

    # Questions

    @_to_its_end
    async def take(self, platform: str, question: str) -> bool:
        """Take a question by its id; False where it was taken already, by whatever process."""
        now = datetime.now(UTC)
        async with self._transaction() as session:
            if await session.get(TakenRow, (platform, question)):
                return False
            await session.execute(delete(TakenRow).where(TakenRow.taken_at < now - TAKEN_FOR))
            session.add(TakenRow(platform=platform, question=question, taken_at=now))
        return True

    # Personas

    @_to_its_end
    async def list_personas(self, platform: str, server: str) -> list[StoredPersona]:
        """The newest version of each of the server's personas that isn't deleted."""
        newest = (
            select(
                PersonaVersionRow.persona_id, func.max(PersonaVersionRow.version).label("version")
            )
            .group_by(PersonaVersionRow.persona_id)
            .subquery()
        )
        query = (
            select(PersonaRow.name, PersonaVersionRow)
            .join(PersonaVersionRow, PersonaVersionRow.persona_id == PersonaRow.id)
            .join(
                newest,
                and_(
                    newest.c.persona_id == PersonaVersionRow.persona_id,
                    newest.c.version == PersonaVersionRow.version,
                ),
            )
            .where(PersonaRow.platform == platform, PersonaRow.server == server)
            .where(~PersonaVersionRow.deleted)
            .order_by(PersonaRow.name)
        )
        async with self._transaction() as session:
            return [_stored(name, row) for name, row in await session.execute(query)]

    @_to_its_end
    async def persona_versions(self, platform: str, server: str, name: str) -> list[StoredPersona]:
        """All versions of a persona, the newest first."""
        async with self._transaction() as session:
            rows = await self._versions(session, platform, server, name)
        return [_stored(name, row) for row in rows]

    @_to_its_end
    async def save_persona(
        self,
        platform: str,
        server: str,
        name: str,
        *,
        prompt: str,
        description: str = "",
        effort: str | None = None,
        by: str,
    ) -> StoredPersona:
        """Save a new version of a persona, the first one where there is none."""
        async with self._transaction() as session:
            row = await self._add_version(
                session, platform, server, name, prompt, description, effort, by
            )
        return _stored(name, row)

    @_to_its_end
    async def delete_persona(self, platform: str, server: str, name: str, by: str) -> None:
        """Delete a persona; `undo_persona` brings it back."""
        async with self._transaction() as session:
            await self._add_version(session, platform, server, name, "", "", None, by, deleted=True)

    @_to_its_end
    async def undo_persona(
        self, platform: str, server: str, name: str, by: str
    ) -> StoredPersona | None:
        """Save the version before the one in force again; None where there is none.

        Undoing twice goes back two versions.
        """
        async with self._transaction() as session:
            versions = {r.version: r for r in await self._versions(session, platform, server, name)}
            if not versions:
                return None
            in_force = versions[max(versions)]
            # What a restored version stands for is the version that it restores.
            before = versions.get((in_force.restores or in_force.version) - 1)
            while before is not None and before.restores is not None:
                before = versions.get(before.restores)
            if before is None:
                return None
            row = await self._add_version(
                session,
                platform,
                server,
                name,
                before.prompt,
                before.description,
                before.effort,
                by,
                deleted=before.deleted,
                restores=before.version,
            )
        return _stored(name, row)

    async def _versions(
        self, session: AsyncSession, platform: str, server: str, name: str
    ) -> list[PersonaVersionRow]:
        query = (
            select(PersonaVersionRow)
            .join(PersonaRow, PersonaVersionRow.persona_id == PersonaRow.id)
            .where(
                PersonaRow.platform == platform,
                PersonaRow.server == server,
                PersonaRow.name == name,
            )
            .order_by(PersonaVersionRow.version.desc())
        )
        return list(await session.scalars(query))

    async def _add_version(
        self,
        session: AsyncSession,
        platform: str,
        server: str,
        name: str,
        prompt: str,
        description: str,
        effort: str | None,
        by: str,
        *,
        deleted: bool = False,
        restores: int | None = None,
    ) -> PersonaVersionRow:
        persona = await session.scalar(
            select(PersonaRow).where(
                PersonaRow.platform == platform,
                PersonaRow.server == server,
                PersonaRow.name == name,
            )
        )
        if persona is None:
            persona = PersonaRow(platform=platform, server=server, name=name)
            session.add(persona)
            await session.flush()
        newest = await session.scalar(
            select(func.max(PersonaVersionRow.version)).where(
                PersonaVersionRow.persona_id == persona.id
            )
        )
        row = PersonaVersionRow(
            persona_id=persona.id,
            version=(newest or 0) + 1,
            prompt=prompt,
            description=description,
            effort=effort,
            deleted=deleted,
            restores=restores,
            created_at=datetime.now(UTC),
            created_by=by,
        )
        session.add(row)
        return row

    # Feedback and usage

    @_to_its_end
    async def set_feedback(
        self, platform: str, server: str, channel: str, message_id: str, user_id: str, vote: int
    ) -> None:
        """Keep a person's vote, 1 or -1, on an answer; a later one replaces it."""
        async with self._transaction() as session:
            await session.merge(
                FeedbackRow(
                    platform=platform,
                    server=server,
                    channel=channel,
                    message_id=message_id,
                    user_id=user_id,
                    vote=vote,
                    created_at=datetime.now(UTC),
                )
            )

    @_to_its_end
    async def add_usage(
        self,
        platform: str,
        server: str,
        user_id: str,
        *,
        requests: int = 0,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
    ) -> None:
        """Count what a person used in this hour."""
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
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
                requests=UsageRow.requests + requests,
                prompt_tokens=UsageRow.prompt_tokens + prompt_tokens,
                completion_tokens=UsageRow.completion_tokens + completion_tokens,
            )
            .returning(UsageRow.requests)
        )
        async with self._transaction() as session:
            if await session.scalar(counted) is None:
                session.add(
                    UsageRow(
                        platform=platform,
                        server=server,
                        user_id=user_id,
                        hour=hour,
                        requests=requests,
                        prompt_tokens=prompt_tokens,
                        completion_tokens=completion_tokens,
                    )
                )

    @_to_its_end
    async def usage_of(
        self,
        platform: str,
        *,
        user_id: str | None = None,
        server: str | None = None,
        since: datetime = BEGINNING,
    ) -> Usage:
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
        async with self._transaction() as session:
            requests, prompt_tokens, completion_tokens = (await session.execute(query)).one()
        return Usage(requests, prompt_tokens, completion_tokens)

    @_to_its_end
    async def forget_user(self, platform: str, user_id: str) -> None:
        """Delete what is stored about a person; settings and personas stay, without their id."""
        async with self._transaction() as session:
            for table in (FeedbackRow, UsageRow):
                await session.execute(
                    delete(table).where(table.platform == platform, table.user_id == user_id)
                )
            await session.execute(
                update(SettingRow)
                .where(SettingRow.platform == platform, SettingRow.updated_by == user_id)
                .values(updated_by=NOBODY)
            )
            personas = select(PersonaRow.id).where(PersonaRow.platform == platform)
            await session.execute(
                update(PersonaVersionRow)
                .where(
                    PersonaVersionRow.persona_id.in_(personas),
                    PersonaVersionRow.created_by == user_id,
                )
                .values(created_by=NOBODY)
            )


def _stored(name: str, row: PersonaVersionRow) -> StoredPersona:
    return StoredPersona(
        name=name,
        version=row.version,
        prompt=row.prompt,
        description=row.description,
        effort=row.effort,
        deleted=row.deleted,
        restores=row.restores,
        created_at=row.created_at,
        created_by=row.created_by,
    )
