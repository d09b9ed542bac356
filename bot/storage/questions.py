"""The questions that runs have taken, by ids only, so that each is answered once."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.storage.runs import StoredRuns
from bot.storage.tables import TakenRow
from bot.storage.transactions import Stored, Transactions, reads, writes

TAKEN_FOR = timedelta(days=2)
"""How long a question is remembered; Slack repeats an event for at most an hour or so."""
LEFT_FOR = timedelta(minutes=10)
"""How long a question that a run took and did not answer is still worth an answer."""


@dataclass(frozen=True)
class TakenQuestion:
    """A question: the ids of the bot that hears it, of its message and of where that stands."""

    platform: str
    bot: str
    message: str
    server: str
    channel: str
    thread: str | None

    @property
    def key(self) -> tuple[str, str]:
        return self.platform, f"{self.bot}:{self.message}"


class StoredQuestions(Stored):
    """What becomes of the questions that a run took."""

    def __init__(self, transactions: Transactions, runs: StoredRuns) -> None:
        super().__init__(transactions)
        self._runs = runs

    @writes
    async def settle(self, session: AsyncSession, question: TakenQuestion) -> None:
        """Nothing is left to do: a command was carried out, or there is nothing to answer."""
        platform, id = question.key
        row = TakenRow
        taken = update(row).where(row.platform == platform, row.question == id)
        await session.execute(taken.values(run=None))

    @reads
    async def left(self, session: AsyncSession, platform: str, bot: str) -> list[TakenQuestion]:
        """The questions that a bot's ended runs took just before their end and did not answer."""
        row = TakenRow
        found = await session.scalars(
            select(row)
            .where(
                row.platform == platform,
                row.question.startswith(f"{bot}:", autoescape=True),
                row.run.is_not(None),
                row.run != self._runs.name,
                row.taken_at > datetime.now(UTC) - LEFT_FOR,
            )
            .order_by(row.taken_at)
        )
        return [
            TakenQuestion(
                platform,
                bot,
                taken.question.removeprefix(f"{bot}:"),
                taken.server or "",
                taken.channel or "",
                taken.thread,
            )
            for taken in found
            if taken.run is not None and not await self._runs.goes_on(session, taken.run)
        ]


async def take_in(session: AsyncSession, question: TakenQuestion, runs: StoredRuns) -> bool:
    """Take a question for a run; whether it is its own now, as no other one has it.

    What a run took that ended before it admitted the question can be taken again.
    """
    now = datetime.now(UTC)
    if taken := await session.get(TakenRow, question.key):
        if taken.run is None or await runs.goes_on(session, taken.run):
            return False
        taken.run = runs.name
        return True
    await session.execute(delete(TakenRow).where(TakenRow.taken_at < now - TAKEN_FOR))
    platform, id = question.key
    session.add(
        TakenRow(
            platform=platform,
            question=id,
            taken_at=now,
            run=runs.name,
            server=question.server,
            channel=question.channel,
            thread=question.thread,
        )
    )
    return True
