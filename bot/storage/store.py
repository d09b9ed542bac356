"""Everything that the bot keeps: the list of what is stored, and what concerns several kinds."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.storage.answers import StoredAnswers
from bot.storage.changes import StoredChanges
from bot.storage.conversations import StoredConversationStarts, conversation_start_in
from bot.storage.database import Database, open_database
from bot.storage.hours import StoredHours
from bot.storage.personas import StoredPersona, StoredPersonas, personas_in
from bot.storage.questions import StoredQuestions, TakenQuestion, take_in
from bot.storage.runs import StoredRuns
from bot.storage.settings import SettingsByScope, StoredSettings, settings_in
from bot.storage.tables import (
    AnswersHourRow,
    ChangeRow,
    FeedbackRow,
    PersonaRow,
    PersonaVersionRow,
    RegisteredCommandsRow,
    ScopeKey,
    SettingRow,
    UsageRow,
)
from bot.storage.threads import StoredThreads, join_in
from bot.storage.transactions import Stored, Transactions, reads, writes
from bot.storage.usage import StoredUsage

NOBODY = ""
"""In the place of a person's id after they asked to be forgotten."""
CLOSING_SECONDS = 5.0
"""How long transactions that run may take at the end."""


@dataclass(frozen=True)
class StoredPlace:
    """What is stored about a place: an answer there depends on it.

    personas: the server's own.
    conversation_start: the id after which messages are part of the conversation.
    """

    settings: SettingsByScope
    personas: Sequence[StoredPersona]
    conversation_start: str


class StoredFeedback(Stored):
    """People's votes on answers."""

    @writes
    async def set(
        self,
        session: AsyncSession,
        platform: str,
        server: str,
        channel: str,
        message_id: str,
        user_id: str,
        vote: int,
    ) -> None:
        """Keep a person's vote, 1 or -1, on an answer; a later one replaces it."""
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


class StoredRegistrations(Stored):
    """Definitions as they were when they were registered, by fingerprints.

    Those of an application's commands, by platform; those of tools, under mcp.
    """

    @reads
    async def get(self, session: AsyncSession, platform: str, application: str) -> str | None:
        row = await session.get(RegisteredCommandsRow, (platform, application))
        return None if row is None else row.fingerprint

    @writes
    async def set(
        self, session: AsyncSession, platform: str, application: str, fingerprint: str
    ) -> None:
        await session.merge(
            RegisteredCommandsRow(
                platform=platform, application=application, fingerprint=fingerprint
            )
        )


class Store(Stored):
    """What is stored, by its kind."""

    def __init__(self, database: Database) -> None:
        transactions = Transactions(database)
        super().__init__(transactions)
        self.engine = database.writing
        """For what a library keeps in tables of its own."""
        self.settings = StoredSettings(transactions)
        self.conversation_starts = StoredConversationStarts(transactions)
        self.personas = StoredPersonas(transactions)
        several_machines = database.writing.dialect.name != "sqlite"
        self.runs = StoredRuns(transactions, several_machines=several_machines)
        self.answers = StoredAnswers(transactions, self.runs)
        self.questions = StoredQuestions(transactions, self.runs)
        self.threads = StoredThreads(transactions)
        self.feedback = StoredFeedback(transactions)
        self.usage = StoredUsage(transactions)
        self.registrations = StoredRegistrations(transactions)
        self.hours = StoredHours(transactions)
        self.changes = StoredChanges(transactions)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator["Store"]:
        """The store in the database at `url`, its schema brought up to date."""
        async with open_database(url) as database:
            store = cls(database)
            async with store.runs.kept():
                try:
                    yield store
                finally:
                    await store.transactions.ended(CLOSING_SECONDS)

    @reads
    async def place(
        self, session: AsyncSession, platform: str, server: str, scopes: Sequence[ScopeKey]
    ) -> StoredPlace:
        """What is stored about a place, read at one moment."""
        return await _place_in(session, platform, server, scopes)

    @reads
    async def servers(self, session: AsyncSession) -> list[tuple[str, str]]:
        """Platforms and servers where something was asked lately, or set or made ever; sorted."""
        asked = select(AnswersHourRow.platform, AnswersHourRow.server)
        made = select(PersonaRow.platform, PersonaRow.server)
        on_server = SettingRow.scope_kind == "server"
        changed = select(SettingRow.platform, SettingRow.scope_id).where(on_server)
        found: set[tuple[str, str]] = set()
        for query in (asked.where(AnswersHourRow.server != ""), made, changed):
            found |= {
                (platform, server) for platform, server in await session.execute(query.distinct())
            }
        return sorted(found)

    @writes
    async def take_question(
        self,
        session: AsyncSession,
        question: TakenQuestion,
        scopes: Sequence[ScopeKey],
        *,
        joins: bool = False,
    ) -> StoredPlace | None:
        """Take a question, and read its place; None where any process took it before.

        joins: whether the bot takes part in the question's thread from now on.
        """
        if not await take_in(session, question, self.runs):
            return None
        platform, server = question.platform, question.server
        if joins and question.thread is not None:
            channel, thread = question.channel, question.thread
            await join_in(session, platform, server, channel, thread, question.message)
        return await _place_in(session, platform, server, scopes)

    @writes
    async def forget_user(
        self,
        session: AsyncSession,
        platform: str,
        user_id: str,
        counted_since: datetime | None = None,
    ) -> None:
        """Delete what is stored about a person; settings and personas stay, without their id.

        What they used from the hour `counted_since` on stays too: quotas go on counting.
        """
        used = and_(UsageRow.platform == platform, UsageRow.user_id == user_id)
        if counted_since is not None:
            used = and_(used, UsageRow.hour < counted_since)
        await session.execute(delete(UsageRow).where(used))
        await session.execute(
            delete(FeedbackRow).where(
                FeedbackRow.platform == platform, FeedbackRow.user_id == user_id
            )
        )
        await session.execute(
            update(SettingRow)
            .where(SettingRow.platform == platform, SettingRow.updated_by == user_id)
            .values(updated_by=NOBODY)
        )
        await session.execute(
            update(ChangeRow)
            .where(ChangeRow.platform == platform, ChangeRow.by == user_id)
            .values(by=NOBODY)
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


async def _place_in(
    session: AsyncSession, platform: str, server: str, scopes: Sequence[ScopeKey]
) -> StoredPlace:
    return StoredPlace(
        await settings_in(session, scopes),
        await personas_in(session, platform, server),
        await conversation_start_in(session, scopes),
    )
