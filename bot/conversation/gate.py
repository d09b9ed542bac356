"""The one gate before every command and every answer: access, rights and quotas."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from bot.config import QuotaConfig
from bot.conversation import metrics
from bot.conversation.access import Window, may_ask
from bot.conversation.events import Author, Place, QuestionKey
from bot.conversation.in_effect import InEffect
from bot.storage import Quotas, RunningAnswer, StorageError, Store, UsageSum

log = structlog.get_logger()


class NotAdmitted(Exception):
    """Who asks may not; the message is one line for them."""


class AccessDenied(NotAdmitted):
    """Who asks may not use the bot here at all."""


@dataclass
class Admission:
    """The right to one answer, which is reserved in the quotas until it ends.

    here: what is in effect for the answer.
    running: its record; None where there is none.
    """

    here: InEffect
    store: Store
    running: RunningAnswer | None

    async def shown_in(self, place: Place, messages: Sequence[str]) -> None:
        """Record the messages that show the answer, so that a later run finds them."""
        if self.running is None:
            return
        try:
            await self.store.answers.show(self.running.id, place.thread, tuple(messages))
        except StorageError as error:
            log.error("an answer's messages could not be recorded", error=str(error))

    async def end(self, prompt_tokens: int, completion_tokens: int) -> None:
        """The answer has ended, in whatever way: what it used counts."""
        await self._end(UsageSum(1, prompt_tokens, completion_tokens))

    async def withdraw(self) -> None:
        """Nothing was asked: nothing counts. Does nothing after the end."""
        await self._end(UsageSum())

    async def _end(self, used: UsageSum) -> None:
        running, self.running = self.running, None
        if running is None:
            return
        try:
            await self.store.answers.end(running, used)
        except StorageError as error:  # a full disk must not cost the person the answer
            log.error("usage not stored", error=str(error))


def check_access(here: InEffect, author: Author) -> None:
    """Raise NotAdmitted unless the author may use the bot here."""
    place = here.place
    if not place.local and not may_ask(here.config.access, place, author):
        raise _refused(here, "dms_off" if place.direct else "not_here", AccessDenied)


async def admit(
    here: InEffect, author: Author, question: QuestionKey, asker: str, store: Store
) -> Admission:
    """Let the author have one answer to the question that `asker` wrote.

    Raises NotAdmitted, StorageError.
    """
    check_access(here, author)
    place, config, now = here.place, here.config, datetime.now(UTC)
    effort = here.effort.value
    window = Window.around(now, config.quotas.window_hours)
    quotas = Quotas(
        window.start,
        _unless_unlimited(config.quotas.user),
        None if place.direct else _unless_unlimited(config.quotas.server),
    )
    answer = RunningAnswer(
        platform=place.platform,
        bot=question.bot,
        server=place.server,
        channel=place.channel,
        thread=place.thread,
        question=question.message,
        asker=asker,
        user_id=author.id,
        effort=effort,
        hour=now.replace(minute=0, second=0, microsecond=0),
        reserved_tokens=config.efforts[effort].max_tokens,
    )
    try:
        admitted = await store.answers.admit(answer, quotas)
    except StorageError as error:
        if quotas.user or quotas.server:
            raise
        log.error("usage not stored", error=str(error))
        return Admission(here, store, None)
    if isinstance(admitted, str):
        wait = here.texts.duration((window.end - now).total_seconds())
        raise _refused(here, f"quota_{admitted}", wait=wait)
    return Admission(here, store, admitted)


def readmit(here: InEffect, running: RunningAnswer, store: Store) -> Admission:
    """The admission of an answer that an earlier run began."""
    return Admission(here, store, running)


def _refused(
    here: InEffect, key: str, kind: type[NotAdmitted] = NotAdmitted, **fields: str
) -> NotAdmitted:
    metrics.REFUSALS.labels(here.place.platform).inc()
    return kind(here.texts(key, **fields))


def _unless_unlimited(quota: QuotaConfig) -> QuotaConfig | None:
    return None if quota == QuotaConfig() else quota
