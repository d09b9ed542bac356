"""Calls to Discord's REST API at the pace it allows, tried again until they land.

discord.py waits where the headers of a channel's bucket say so and tries a failed call five times.
This keeps below the global limit, shares a channel's edits between the answers in it, and goes on
trying what must land.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar

import aiohttp
import discord
from aiolimiter import AsyncLimiter

from bot.conversation.reply import Reply
from bot.platforms.discord.limits import (
    EDITS,
    EDITS_SECONDS,
    REQUESTS_A_SECOND,
)
from bot.platforms.retrying import retried

P = ParamSpec("P")
T = TypeVar("T")


class Pace:
    """Turns for what the bot sends."""

    def __init__(self) -> None:
        self._all = AsyncLimiter(REQUESTS_A_SECOND, 1)
        self._of_channel = lru_cache(maxsize=4096)(
            lambda channel: AsyncLimiter(EDITS, EDITS_SECONDS)
        )

    async def edit(self, channel: int, reply: Reply) -> None:
        """Wait for this channel's next edit, or for the reply's end: that is shown at once."""
        turn = asyncio.create_task(self._of_channel(channel).acquire())
        end = asyncio.create_task(reply.ended())
        await asyncio.wait({turn, end}, return_when=asyncio.FIRST_COMPLETED)
        turn.cancel()
        end.cancel()

    async def retried(
        self, func: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `func` returns, called again while Discord is busy, down or out of reach."""

        async def in_turn() -> T:
            async with self._all:
                return await func(*args, **kwargs)

        return await retried(_is_passing, in_turn)


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, discord.HTTPException):
        return error.status == 429 or error.status >= 500
    return isinstance(error, aiohttp.ClientError | OSError)  # TimeoutError is an OSError
