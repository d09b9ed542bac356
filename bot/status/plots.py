"""What the plots draw: columns of numbers, the times first, as uPlot takes them."""

from bot.status.recorder import Recorder

COLUMNS = ("at", "tokens_per_second", "answer_speed", "first_text", "running", "waiting")

Columns = dict[str, list[float | None]]


def last_hour(recorder: Recorder) -> Columns:
    """A column for each curve, ten seconds a row."""
    return {name: [_rounded(getattr(p, name)) for p in recorder.points] for name in COLUMNS}


def _rounded(value: float | None) -> float | None:
    return value if value is None else round(value, 3)
