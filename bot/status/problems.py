"""The bot's latest warnings and errors, as its log has them but without their values."""

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

MOST = 20


@dataclass(frozen=True)
class LoggedProblem:
    """`what` is the log line's constant text; of another library's, only whose line it was."""

    at: datetime
    level: str
    what: str


class ProblemLog(logging.Handler):
    """Remembers the last ones, the newest first."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last: deque[LoggedProblem] = deque(maxlen=MOST)

    def emit(self, record: logging.LogRecord) -> None:
        event = record.msg.get("event") if isinstance(record.msg, dict) else None
        what = event if isinstance(event, str) else record.name
        at = datetime.fromtimestamp(record.created, UTC)
        self.last.appendleft(LoggedProblem(at, record.levelname.lower(), what))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Inside, what is logged is remembered."""
        logging.root.addHandler(self)
        try:
            yield
        finally:
            logging.root.removeHandler(self)
