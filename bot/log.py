"""Logs on stderr: readable in a terminal, one JSON object a line elsewhere."""

import logging
import os
import sys
from typing import Any

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer

QUIET_LOGGERS = ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "alembic", "watchfiles")
"""Libraries whose lower levels are noise, or would show request bodies."""


def configure(level: str | None = None) -> None:
    """Set up structlog, and the standard library's logging to go the same way.

    The level is BOT_LOG_LEVEL's, else `level`, else info.
    """
    level = (os.environ.get("BOT_LOG_LEVEL") or level or "info").upper()
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
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
