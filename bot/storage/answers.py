"""Answers that are being made, by ids only: what is reserved for them, and where they are shown.

A row lasts from the admission of a question to the end of its answer. What is left of an earlier
run was cut off in the middle.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.config import QuotaConfig
from bot.storage.runs import StoredRuns
from bot.storage.tables import RunningAnswerRow, TakenRow
from bot.storage.transactions import Stored, Transactions, writes
from bot.storage.usage import UsageSum, add_usage, usage_in


@dataclass(frozen=True)
class RunningAnswer:
    """One answer that is being made.

    bot, question: the ids of the bot that answers and of the message that it answers.
    user_id: who is charged for it; `asker` wrote the question.
    messages: ids of the messages that show it so far.
    hour: when its usage counts.
    reserved_tokens: what is counted for it until it ends.
    attempts: how often it was begun.
    """

    platform: str
    bot: str
    server: str
    channel: str
    thread: str | None
    question: str
    asker: str
    user_id: str
    effort: str
    hour: datetime
    reserved_tokens: int
    id: str = ""
    messages: tuple[str, ...] = ()
    attempts: int = 1


@dataclass(frozen=True)
class Quotas:
    """What a person and a server may use from the hour `since` on; None: no limit."""

    since: datetime
    user: QuotaConfig | None
    server: QuotaConfig | None


class StoredAnswers(Stored):
    def __init__(self, transactions: Transactions, runs: StoredRuns) -> None:
        super().__init__(transactions)
        self._runs = runs

    @writes
    async def admit(
        self, session: AsyncSession, answer: RunningAnswer, quotas: Quotas
    ) -> RunningAnswer | str:
        """Reserve what an answer may use and record it; else whose quota is used up.

        That is "user" or "server".
        """
        platform, since = answer.platform, quotas.since
        if quotas.user is not None:
            used = await usage_in(session, platform, user_id=answer.user_id, since=since)
            if _used_up(quotas.user, used):
                return "user"
        if quotas.server is not None:
            used = await usage_in(session, platform, server=answer.server, since=since)
            if _used_up(quotas.server, used):
                return "server"
        recorded = replace(answer, id=uuid4().hex)
        await _count(session, recorded, UsageSum(1, 0, recorded.reserved_tokens))
        session.add(
            RunningAnswerRow(
                **{**vars(recorded), "messages": list(recorded.messages)},
                run=self._runs.name,
                begun_at=datetime.now(UTC),
            )
        )
        taken = TakenRow.question == f"{answer.bot}:{answer.question}"
        admitted = update(TakenRow).where(TakenRow.platform == platform, taken).values(run=None)
        await session.execute(admitted)
        return recorded

    @writes
    async def show(
        self, session: AsyncSession, id: str, thread: str | None, messages: tuple[str, ...]
    ) -> None:
        """Note where an answer is shown."""
        row = RunningAnswerRow
        shown = update(row).where(row.id == id).values(thread=thread, messages=list(messages))
        await session.execute(shown)

    @writes
    async def end(self, session: AsyncSession, answer: RunningAnswer, used: UsageSum) -> None:
        """Count what an answer used in place of what was reserved, and forget it."""
        row = RunningAnswerRow
        ended = await session.execute(delete(row).where(row.id == answer.id).returning(row.id))
        if ended.first() is None:
            return
        reserved = UsageSum(1, 0, answer.reserved_tokens)
        change = UsageSum(
            used.requests - reserved.requests,
            used.prompt_tokens,
            used.completion_tokens - reserved.completion_tokens,
        )
        await _count(session, answer, change)

    @writes
    async def take_cut_off(
        self,
        session: AsyncSession,
        platform: str,
        bot: str,
        is_mine: Callable[[str], bool],
    ) -> list[RunningAnswer]:
        """Take over the answers that a bot's ended runs left unfinished in my servers."""
        row = RunningAnswerRow
        query = select(row).where(
            row.platform == platform, row.bot == bot, row.run != self._runs.name
        )
        taken = []
        for found in (await session.scalars(query.order_by(row.begun_at))).all():
            answer = RunningAnswer(
                platform=found.platform,
                bot=found.bot,
                server=found.server,
                channel=found.channel,
                thread=found.thread,
                question=found.question,
                asker=found.asker,
                user_id=found.user_id,
                effort=found.effort,
                hour=found.hour,
                reserved_tokens=found.reserved_tokens,
                id=found.id,
                messages=tuple(found.messages),
                attempts=found.attempts + 1,
            )
            if is_mine(found.server) and not await self._runs.goes_on(session, found.run):
                found.run, found.attempts = self._runs.name, answer.attempts
                taken.append(answer)
        return taken


async def _count(session: AsyncSession, answer: RunningAnswer, used: UsageSum) -> None:
    await add_usage(session, answer.platform, answer.server, answer.user_id, used, hour=answer.hour)


def _used_up(quota: QuotaConfig, used: UsageSum) -> bool:
    tokens = used.prompt_tokens + used.completion_tokens
    return (quota.requests is not None and used.requests >= quota.requests) or (
        quota.tokens is not None and tokens >= quota.tokens
    )
