"""The bot's own logging, set up once in the tests' process."""

import io
import logging
import sys
from functools import cache

import pytest

from bot import log


@cache  # loggers keep the configuration that they are first used with
def handler() -> logging.StreamHandler[io.StringIO]:
    """What `bot run` logs with where its standard error is a pipe. No logger has it yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOT_LOG_LEVEL", "info")
        patch.setattr(sys, "stderr", io.StringIO())
        patch.setattr(logging.root, "handlers", [])
        log.configure()
        (found,) = logging.root.handlers
    return found
