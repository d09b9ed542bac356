"""What the plots draw: columns of numbers, the times first, as uPlot takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.conversation.texts import Texts
from bot.status.recorder import Recorder, this_hour
from bot.storage import AnswerCounts, Load, StoredHours

COLUMNS = ("at", "tokens_per_second", "answer_speed", "first_text", "running", "waiting")
PLOTS = {
    "speed": ("tokens_per_second", "answer_speed"),
    "first_text": ("first_text",),
    "queue": ("waiting", "running"),
}
"""Each plot's curves."""
DAYS = 30

Columns = dict[str, list[float | None]]


@dataclass(frozen=True)
class Plot:
    """`curves` have the name of a column and a title each."""

    title: str
    curves: Sequence[Mapping[str, str]]


def plots(texts: Texts) -> list[Plot]:
    return [
        Plot(
            texts(f"page_plot_{name}"),
            [{"name": curve, "title": texts(f"page_curve_{curve}")} for curve in curves],
        )
        for name, curves in PLOTS.items()
    ]


def last_hour(recorder: Recorder) -> Columns:
    """A column for each curve, ten seconds a row."""
    return {name: [_rounded(getattr(p, name)) for p in recorder.points] for name in COLUMNS}


async def last_days(hours: StoredHours) -> Columns:
    """A column for each curve, an hour a row; None in an hour without answers. Raises StorageError.

    Tokens a second and waiting are the most that was seen, the others are means.
    """
    since = this_hour() - timedelta(days=DAYS)
    answers, load = await hours.answers(since), await hours.load(since)
    columns: Columns = {name: [] for name in COLUMNS}
    for number in range(DAYS * 24 + 1):
        hour = since + timedelta(hours=number)
        for name, value in _hour(hour, answers.get(hour), load.get(hour)).items():
            columns[name].append(_rounded(value))
    return columns


def _hour(
    hour: datetime, answers: AnswerCounts | None, load: Load | None
) -> dict[str, float | None]:
    answers, load = answers or AnswerCounts(), load or Load()
    return {
        "at": hour.timestamp(),
        "tokens_per_second": load.most_tokens_per_second if load.looks else None,
        "answer_speed": _share(answers.writing_tokens, answers.writing_seconds),
        "first_text": _share(answers.first_text_seconds, answers.first_texts),
        "running": _share(load.running, load.looks),
        "waiting": load.most_waiting if load.looks else None,
    }


def _share(sum_: float, of: float) -> float | None:
    return sum_ / of if of else None


def _rounded(value: float | None) -> float | None:
    return value if value is None else round(value, 3)
