"""Personas that were made in chat, with all their versions."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import and_, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.storage.changes import note_change
from bot.storage.tables import PersonaRow, PersonaVersionRow, ScopeKey
from bot.storage.transactions import Stored, reads, writes


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


class TooManyPersonas(Exception):
    """The server has as many personas as it may have."""


class StoredPersonas(Stored):
    @reads
    async def newest(
        self, session: AsyncSession, platform: str, server: str
    ) -> list[StoredPersona]:
        """The newest version of each of the server's personas that isn't deleted."""
        return await personas_in(session, platform, server)

    @reads
    async def versions(
        self, session: AsyncSession, platform: str, server: str, name: str
    ) -> list[StoredPersona]:
        """All versions of a persona, the newest first."""
        return [_stored(name, r) for r in await _versions(session, platform, server, name)]

    @writes
    async def save(
        self,
        session: AsyncSession,
        platform: str,
        server: str,
        name: str,
        *,
        prompt: str,
        description: str = "",
        effort: str | None = None,
        by: str,
        most_personas: int | None = None,
        most_versions: int | None = None,
    ) -> StoredPersona:
        """Save a new version of a persona, the first one where there is none.

        most_personas: how many the server may have, those included that were deleted: the first
            of these makes room. None: any number. Raises TooManyPersonas.
        most_versions: how many of a persona's versions are kept; the oldest go.
        """
        if most_personas is not None:
            await _make_room(session, platform, server, name, most_personas)
        persona = await _persona(session, platform, server, name)
        version = PersonaVersionRow(
            prompt=prompt,
            description=description,
            effort=effort,
            deleted=False,
            restores=None,
            created_by=by,
        )
        saved = _stored(name, await _add(session, persona, version))
        if most_versions is not None:
            kept_from = saved.version - most_versions + 1
            row = PersonaVersionRow
            old = and_(row.persona_id == persona.id, row.version < kept_from)
            await session.execute(delete(row).where(old))
        return saved

    @writes
    async def delete(
        self, session: AsyncSession, platform: str, server: str, name: str, by: str
    ) -> None:
        """Delete a persona; `undo` brings it back."""
        persona = await _persona(session, platform, server, name)
        version = PersonaVersionRow(
            prompt="", description="", effort=None, deleted=True, restores=None, created_by=by
        )
        await _add(session, persona, version)

    @writes
    async def undo(
        self, session: AsyncSession, platform: str, server: str, name: str, by: str
    ) -> StoredPersona | None:
        """Save the version before the newest one again; None where there is none.

        Undoing twice goes back two versions.
        """
        versions = {r.version: r for r in await _versions(session, platform, server, name)}
        if not versions:
            return None
        newest = versions[max(versions)]
        # What a restored version stands for is the version that it restores.
        before = versions.get((newest.restores or newest.version) - 1)
        while before is not None and before.restores is not None:
            before = versions.get(before.restores)
        if before is None:
            return None
        version = PersonaVersionRow(
            prompt=before.prompt,
            description=before.description,
            effort=before.effort,
            deleted=before.deleted,
            restores=before.version,
            created_by=by,
        )
        persona = await _persona(session, platform, server, name)
        return _stored(name, await _add(session, persona, version))


async def personas_in(session: AsyncSession, platform: str, server: str) -> list[StoredPersona]:
    """The newest version of each of the server's personas that isn't deleted."""
    newest = (
        select(PersonaVersionRow.persona_id, func.max(PersonaVersionRow.version).label("version"))
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
    return [_stored(name, row) for name, row in await session.execute(query)]


async def _persona(session: AsyncSession, platform: str, server: str, name: str) -> PersonaRow:
    """The persona of this name, made where there is none."""
    found = await session.scalar(
        select(PersonaRow).where(
            PersonaRow.platform == platform, PersonaRow.server == server, PersonaRow.name == name
        )
    )
    if found is None:
        found = PersonaRow(platform=platform, server=server, name=name)
        session.add(found)
        await session.flush()
    return found


async def _make_room(
    session: AsyncSession, platform: str, server: str, name: str, most: int
) -> None:
    """Let a persona of this name fit in, in place of one that was deleted if need be."""
    query = select(PersonaRow).where(PersonaRow.platform == platform, PersonaRow.server == server)
    stored = (await session.scalars(query.order_by(PersonaRow.id))).all()
    if len(stored) < most or any(persona.name == name for persona in stored):
        return
    shown = {persona.name for persona in await personas_in(session, platform, server)}
    deleted = next((persona for persona in stored if persona.name not in shown), None)
    if deleted is None:
        raise TooManyPersonas
    versions = PersonaVersionRow.persona_id == deleted.id
    await session.execute(delete(PersonaVersionRow).where(versions))
    await session.delete(deleted)
    await session.flush()


async def _versions(
    session: AsyncSession, platform: str, server: str, name: str
) -> list[PersonaVersionRow]:
    query = (
        select(PersonaVersionRow)
        .join(PersonaRow, PersonaVersionRow.persona_id == PersonaRow.id)
        .where(
            PersonaRow.platform == platform, PersonaRow.server == server, PersonaRow.name == name
        )
        .order_by(PersonaVersionRow.version.desc())
    )
    return list(await session.scalars(query))


async def _add(
    session: AsyncSession, persona: PersonaRow, version: PersonaVersionRow
) -> PersonaVersionRow:
    """Save the version, and note who changed what."""
    row = PersonaVersionRow
    query = select(row).where(row.persona_id == persona.id).order_by(row.version.desc()).limit(1)
    newest = await session.scalar(query)
    version.persona_id = persona.id
    version.version = newest.version + 1 if newest else 1
    version.created_at = datetime.now(UTC)
    session.add(version)
    server = ScopeKey(persona.platform, "server", persona.server)
    before, after = _in_effect(newest), _in_effect(version)
    await note_change(session, version.created_by, server, "persona", persona.name, before, after)
    return version


def _in_effect(version: PersonaVersionRow | None) -> int | None:
    """Its number; None where the persona is not there, or was deleted."""
    return None if version is None or version.deleted else version.version


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
