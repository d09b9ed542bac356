"""Interactions that can't be acknowledged any more."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

import discord
import structlog

P = ParamSpec("P")

log = structlog.get_logger()

UNKNOWN, ACKNOWLEDGED = 10062, 40060
"""Of an interaction that is more than 3 seconds old, and of one that another process on the same
token has acknowledged:
https://docs.discord.com/developers/topics/opcodes-and-status-codes#json"""


def if_first(
    handle: Callable[P, Coroutine[Any, Any, None]],
) -> Callable[P, Coroutine[Any, Any, None]]:
    """Handle an interaction; one that can't be acknowledged is a line in the log."""

    @wraps(handle)
    async def handle_if_first(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            await handle(*args, **kwargs)
        except discord.HTTPException as error:
            if error.code not in (UNKNOWN, ACKNOWLEDGED):
                raise
            log.info("discord: an interaction was acknowledged elsewhere, or too late")

    return handle_if_first
