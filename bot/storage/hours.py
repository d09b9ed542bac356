"""What the bot did by the hour, for the status page's plots: numbers only, of the last month."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.storage.tables import AnswersHourRow, LoadHourRow
from bot.storage.transactions import Stored, reads, writes

KEPT_FOR = timedelta(days=31)


class AnswersKey(NamedTuple):
    """Whose answers are counted. `server` is empty for direct messages, where it is a person's."""

    hour: datetime
    platform: str
    server: str
    persona: str


@dataclass
class AnswerCounts:
    """Sums over answers that have ended.

    first_texts: those with any text, which came `first_text_seconds` after their questions in all.
    writing_tokens, writing_seconds: what they wrote, and how long that took, without the wait.
    """

    answers: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    first_texts: int = 0
    first_text_seconds: float = 0.0
    writing_tokens: int = 0
    writing_seconds: float = 0.0

    def add(self, other: "AnswerCounts") -> None:
        for field in fields(self):
            name = field.name
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class Load:
    """What was seen in `looks` looks at the service; `running` and `waiting` are sums over them."""

    looks: int = 0
    running: int = 0
    waiting: int = 0
    most_waiting: int = 0
    most_tokens_per_second: float = 0.0

    def add(self, other: "Load") -> None:
        self.looks += other.looks
        self.running += other.running
        self.waiting += other.waiting
        self.most_waiting = max(self.most_waiting, other.most_waiting)
        self.most_tokens_per_second = max(self.most_tokens_per_second, other.most_tokens_per_second)

    @classmethod
    def of(cls, row: LoadHourRow) -> Self:
        return cls(**{field.name: getattr(row, field.name) for field in fields(cls)})


class StoredHours(Stored):
    @writes
    async def add(
        self,
        session: AsyncSession,
        answers: Mapping[AnswersKey, AnswerCounts],
        load: Mapping[datetime, Load],
    ) -> None:
        """Add what was counted; hours older than a month go."""
        for key, counts in answers.items():
            row = await session.get(AnswersHourRow, tuple(key))
            if row is None:
                session.add(AnswersHourRow(**key._asdict(), **vars(counts)))
                continue
            for name, value in vars(counts).items():
                setattr(row, name, getattr(row, name) + value)
        for hour, seen in load.items():
            total = Load()
            if found := await session.get(LoadHourRow, hour):
                total = Load.of(found)
            total.add(seen)
            await session.merge(LoadHourRow(hour=hour, **vars(total)))
        oldest = datetime.now(UTC) - KEPT_FOR
        for table in (AnswersHourRow, LoadHourRow):
            await session.execute(delete(table).where(table.hour < oldest))

    @reads
    async def answers(self, session: AsyncSession, since: datetime) -> dict[datetime, AnswerCounts]:
        """All answers of each hour from `since` on."""
        row = AnswersHourRow
        query = select(row.hour, *_sums()).where(row.hour >= since).group_by(row.hour)
        return {hour: AnswerCounts(*sums) for hour, *sums in await session.execute(query)}

    @reads
    async def used(
        self, session: AsyncSession, since: datetime
    ) -> dict[tuple[str, str, str], AnswerCounts]:
        """The answers from `since` on by platform, server and persona."""
        row = AnswersHourRow
        key = (row.platform, row.server, row.persona)
        query = select(*key, *_sums()).where(row.hour >= since).group_by(*key)
        return {
            (platform, server, persona): AnswerCounts(*sums)
            for platform, server, persona, *sums in await session.execute(query)
        }

    @reads
    async def load(self, session: AsyncSession, since: datetime) -> dict[datetime, Load]:
        """What was seen in each hour from `since` on."""
        query = select(LoadHourRow).where(LoadHourRow.hour >= since)
        return {row.hour: Load.of(row) for row in await session.scalars(query)}


def _sums() -> list[ColumnElement[Any]]:
    return [func.sum(getattr(AnswersHourRow, field.name)) for field in fields(AnswerCounts)]
