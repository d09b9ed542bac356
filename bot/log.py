"""Logs on stderr: readable in a terminal, one JSON object a line elsewhere."""

import logging
import os
import sys
from typing import Any

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer

log = structlog.get_logger()

LEVELS = ("debug", "info", "warning", "error", "critical")


def configure(default: str = "info") -> None:
    """Set up structlog, and the standard library's logging to go the same way.

    The level is BOT_LOG_LEVEL's, else `default`. Libraries log only warnings and errors: their
    lower levels would show request bodies and the values of SQL statements.
    """
    asked = os.environ.get("BOT_LOG_LEVEL", "").lower()
    level = asked if asked in LEVELS else default
    os.environ["BOT_LOG_LEVEL"] = level  # a supervised service logs at the same level
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
    ]
    # Tracebacks without local variables: those would hold message text and secrets.
    renderer: list[Any]
    if sys.stderr.isatty():
        renderer = [
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        ]
    else:
        frames = ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
        renderer = [frames, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_CurrentStderr())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    logging.basicConfig(handlers=[handler], force=True)  # at the level WARNING
    logging.getLogger("bot").setLevel(level.upper())
    if asked not in ("", level):
        log.warning("BOT_LOG_LEVEL isn't a level", found=asked, allowed=LEVELS, instead=level)


class _CurrentStderr:
    """What sys.stderr is at the moment: a prompt and a progress bar put a proxy there."""

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()
