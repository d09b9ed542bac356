"""Calls to Discord's REST API at the pace it allows, tried again until they land.

discord.py waits where the headers of a channel's bucket say so and tries a failed call five times.
This keeps below the global limit, spaces a channel's edits evenly between the answers in it, keeps
one for the end of each, and goes on trying what must land.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import aiohttp
import discord
import structlog
from aiolimiter import AsyncLimiter

from bot.conversation.reply import Reply, ReplyState
from bot.platforms.discord.limits import (
    EDITS,
    EDITS_SECONDS,
    REQUESTS_A_SECOND,
)
from bot.platforms.retrying import retried

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger()

LOOK_SECONDS = 0.25
"""How often an answer that waits for its turn looks how many share the channel's edits."""

Whisper = Callable[[str], Awaitable[None]]
"""Tells one person lines in private, where that is possible."""


class Pace:
    """Turns for what the bot sends."""

    def __init__(self) -> None:
        self._all = AsyncLimiter(REQUESTS_A_SECOND, 1)
        self._of_channel = lru_cache(maxsize=4096)(
            lambda channel: AsyncLimiter(1, EDITS_SECONDS / (EDITS - 1))
        )
        self._running: Counter[int] = Counter()

    @contextmanager
    def turns(self, channel: int, reply: Reply) -> Iterator["Turns"]:
        """The turns of an answer that is shown in a channel."""
        turns = Turns(reply, channel, self._of_channel(channel), self._running)
        try:
            yield turns
        finally:
            turns.close()

    def whisper_to(self, person: discord.abc.User) -> "Whisper":
        """How a person is told own lines in private that can't be said where they asked."""
        assert isinstance(person, discord.abc.Messageable)  # it is not the bot itself

        async def whisper(line: str) -> None:
            try:
                await self.retried(person.send, line)
            except discord.HTTPException as error:
                log.warning("discord: a person can't be told", code=error.code)

        return whisper

    async def retried(
        self, func: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `func` returns, called again while Discord is busy, down or out of reach."""

        @wraps(func)  # a retry's log line names what it calls
        async def in_turn(*args: P.args, **kwargs: P.kwargs) -> T:
            async with self._all:
                return await func(*args, **kwargs)

        return await retried(is_passing, in_turn, *args, **kwargs)


class Turns:
    """When an answer is edited while it comes. Its end is shown at once, and waits for no turn.

    running: answers that are thought of or written, by channel. Each may end at any moment, so a
        bucket's edits but one for each of them are shared by all, and but one for two of them; as
        many answers as a bucket has edits show their beginnings and their ends.
    """

    def __init__(
        self, reply: Reply, channel: int, limiter: AsyncLimiter, running: Counter[int]
    ) -> None:
        self._reply, self._channel = reply, channel
        self._limiter, self._running = limiter, running
        self._is_running = False
        self._edited = False

    async def next(self) -> None:
        """Wait for the next turn, or for the reply's end."""
        if not self._is_running and self._reply.state in (
            ReplyState.THINKING,
            ReplyState.WRITING,
        ):
            self._is_running = True
            self._running[self._channel] += 1
        turn = asyncio.create_task(self._turn())
        end = asyncio.create_task(self._reply.ended())
        await asyncio.wait({turn, end}, return_when=asyncio.FIRST_COMPLETED)
        turn.cancel()
        end.cancel()

    async def _turn(self) -> None:
        waited, pause = 0.0, self._pause() if self._edited else 0.0
        while waited < pause:
            await asyncio.sleep(LOOK_SECONDS)
            waited, pause = waited + LOOK_SECONDS, max(pause, self._pause())  # others may begin
        await self._limiter.acquire()
        self._edited = True

    def _pause(self) -> float:
        """Seconds between two of an answer's edits, by the answers that run now."""
        running = min(EDITS, max(1, self._running[self._channel]))
        kept = 1 if running <= 2 else running  # of two ends at once, one waits 1.25 s
        return running * EDITS_SECONDS / max(EDITS - kept, 1 / EDITS)

    def close(self) -> None:
        """The answer has ended, and that is shown."""
        if self._is_running:
            self._running[self._channel] -= 1
            if not self._running[self._channel]:
                del self._running[self._channel]


async def said_in_reply(
    to: discord.Message | discord.PartialMessage | discord.WebhookMessage,
    channel: discord.abc.Messageable,
    content: str,
    **options: Any,
) -> discord.Message:
    """A message in reply to another one; by itself where Discord refuses that.

    Raises discord.HTTPException.
    """
    try:
        return await to.reply(content, **options)
    except discord.HTTPException as error:
        if is_passing(error):
            raise
        log.warning("discord refused a reply", code=error.code, status=error.status)
    return await channel.send(content, **options)


def is_passing(error: BaseException) -> bool:
    if isinstance(error, discord.HTTPException):
        return error.status == 429 or error.status >= 500
    # TimeoutError is an OSError
    return isinstance(error, discord.GatewayNotFound | aiohttp.ClientError | OSError)
