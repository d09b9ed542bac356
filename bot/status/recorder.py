"""What was measured of answers: the last hour point by point, and what is to be kept by the hour.

Numbers only.
"""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean, quantiles

from bot.client import ServiceMetrics
from bot.conversation.answer import Answer
from bot.conversation.reply import ReplyState
from bot.storage import AnswerCounts, AnswersKey, Load, StorageError, StoredHours

EVERY_SECONDS = 10.0
"""From point to point."""
HOUR_SECONDS = 3600
MOST_ENDED = 20_000
"""Answers of the last hour that are remembered."""
WAITING = (ReplyState.LOADING, ReplyState.UNAVAILABLE, ReplyState.QUEUED)


@dataclass(frozen=True)
class EndedAnswer:
    """An answer that has ended, at a Unix time. Seconds are those from the question on."""

    at: float
    outcome: ReplyState
    first_text: float | None
    tokens_per_second: float | None
    """While it was written."""


@dataclass(frozen=True)
class Point:
    """Ten seconds that end at a Unix time. None: there was nothing to measure.

    tokens_per_second: of all answers together; answer_speed: of each one, on average.
    first_text: seconds from the question, on average.
    """

    at: int
    tokens_per_second: float | None
    answer_speed: float | None
    first_text: float | None
    running: int
    waiting: int


@dataclass(frozen=True)
class TokenCount:
    """Tokens written up to a monotonic time, as the service tells and as the bot counts its own."""

    at: float
    told: float | None
    own: float

    def since(self, before: "TokenCount") -> float:
        """Those written in between; a service that was restarted counts from 0 again."""
        if self.told is None or before.told is None:
            return max(self.own - before.own, 0.0)
        return max(self.told - before.told, 0.0)


class Recorder:
    """`points` has the last hour, the oldest first."""

    def __init__(self) -> None:
        self.points: deque[Point] = deque(maxlen=int(HOUR_SECONDS / EVERY_SECONDS))
        self.tokens_per_second: float | None = None
        """Of all answers together, at the last look."""
        self._ended: deque[EndedAnswer] = deque(maxlen=MOST_ENDED)
        self._since_point: list[EndedAnswer] = []
        self._written_before = 0
        """Tokens of the answers that have ended."""
        self._counted: TokenCount | None = None
        """That of the last point."""
        self.answers_by_hour: dict[AnswersKey, AnswerCounts] = {}
        self.load_by_hour: dict[datetime, Load] = {}
        """What has not been stored yet, like the answers."""

    def answer_ended(self, answer: Answer) -> None:
        """Count an answer that has ended."""
        assert answer.ended is not None
        reply, first = answer.reply, answer.reply.first_text_at
        tokens = reply.completion_tokens
        self._written_before += tokens
        counts = AnswerCounts(
            answers=1,
            failed=int(reply.state is ReplyState.FAILED),
            prompt_tokens=reply.prompt_tokens,
            cached_tokens=reply.usage.cached_tokens if reply.usage else 0,
            completion_tokens=tokens,
        )
        if first is not None:
            counts.first_texts, counts.first_text_seconds = 1, first - answer.asked
            if tokens > 1 and answer.ended > first:
                counts.writing_tokens, counts.writing_seconds = tokens, answer.ended - first
        speed = tokens / counts.writing_seconds if counts.writing_seconds else None
        first_text = counts.first_text_seconds if counts.first_texts else None
        ended = EndedAnswer(time.time(), reply.state, first_text, speed)
        self._ended.append(ended)
        self._since_point.append(ended)
        place = answer.here.place
        # In a direct message the server is the person's own: nothing is kept by person.
        server = "" if place.direct else place.server
        key = AnswersKey(this_hour(), place.platform, server, answer.here.persona.name)
        self.answers_by_hour.setdefault(key, AnswerCounts()).add(counts)

    def record(self, metrics: ServiceMetrics, answers: Sequence[Answer]) -> None:
        """Note what the service measures and which answers are being made now."""
        now = time.monotonic()
        own = self._written_before + sum(a.reply.completion_tokens for a in answers)
        count = TokenCount(now, metrics.generated, own)
        if self._counted is None:
            self._counted = count
        seconds = now - self._counted.at
        if seconds <= 0:
            return
        self.tokens_per_second = count.since(self._counted) / seconds
        if seconds >= EVERY_SECONDS - 1:
            waiting = sum(answer.reply.state in WAITING for answer in answers)
            point = Point(
                int(time.time()),
                self.tokens_per_second,
                _mean(ended.tokens_per_second for ended in self._since_point),
                _mean(ended.first_text for ended in self._since_point),
                _told(metrics.running, len(answers) - waiting),
                _told(metrics.waiting, waiting),
            )
            self.points.append(point)
            seen = Load(1, point.running, point.waiting, point.waiting, self.tokens_per_second)
            self.load_by_hour.setdefault(this_hour(), Load()).add(seen)
            self._since_point.clear()
            self._counted = count

    async def store(self, hours: StoredHours) -> None:
        """Store what was counted since the last time. Raises StorageError, and keeps it then."""
        answers, load = self.answers_by_hour, self.load_by_hour
        self.answers_by_hour, self.load_by_hour = {}, {}
        try:
            if answers or load:
                await hours.add(answers, load)
        except StorageError:
            for key, counts in answers.items():
                self.answers_by_hour.setdefault(key, AnswerCounts()).add(counts)
            for hour, seen in load.items():
                self.load_by_hour.setdefault(hour, Load()).add(seen)
            raise

    @property
    def last_hour(self) -> list[EndedAnswer]:
        """The answers that ended in the last hour, the oldest first."""
        since = time.time() - HOUR_SECONDS
        while self._ended and self._ended[0].at < since:
            self._ended.popleft()
        return list(self._ended)


def this_hour() -> datetime:
    """Its beginning."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def median_and_95(values: Sequence[float]) -> tuple[float, float] | None:
    """The value that half of them stay below, and the one that 95 % do; None for none."""
    if not values:
        return None
    if len(values) == 1:
        return values[0], values[0]
    cuts = quantiles(values, n=20, method="inclusive")
    return cuts[9], cuts[18]


def _told(measured: float | None, counted: int) -> int:
    """What the service tells, else what the bot counts of its own answers."""
    return counted if measured is None else int(measured)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
