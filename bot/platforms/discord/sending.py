"""Calls to Discord's REST API at the pace it allows, retried until they succeed.

discord.py waits when the headers of a channel's bucket say so, and tries a failed call five times.
This module keeps below the global limit, spaces a channel's edits evenly between the answers in it,
keeps one edit for the end of each, and goes on retrying what must be shown.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
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

Whisper = Callable[[str], Awaitable[None]]
"""Tells one person lines in private, where that is possible."""


class Pace:
    """Turns for what the bot sends."""

    def __init__(self) -> None:
        self._all = AsyncLimiter(REQUESTS_A_SECOND, 1)
        self._edits_of = lru_cache(maxsize=4096)(lambda channel: ChannelEdits())

    @contextmanager
    def turns(self, channel: int, reply: Reply) -> Iterator["EditTurns"]:
        """The turns of an answer that is shown in a channel."""
        turns = EditTurns(reply, self._edits_of(channel))
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


class ChannelEdits:
    """The edits that Discord allows in a channel, shared by the answers that are written there.

    Each answer may end at any moment, and its end is an edit too. So one edit of a bucket is kept
    for each answer, or one for two of them, and the rest is shared by all; as many answers as a
    bucket has edits show only their beginnings and their ends.
    """

    def __init__(self) -> None:
        self._limiter = AsyncLimiter(1, EDITS_SECONDS / (EDITS - 1))
        self._answers = 0
        self._joined = asyncio.Event()
        """Set when another answer begins, and then replaced."""

    def join(self) -> None:
        """One more answer is written in the channel."""
        self._answers += 1
        self._joined.set()
        self._joined = asyncio.Event()

    def leave(self) -> None:
        """One of them has ended, and that is shown."""
        self._answers -= 1

    async def pause(self) -> None:
        """Wait as long as an answer must between two edits; longer if others begin meanwhile."""
        time = asyncio.get_running_loop().time
        began, seconds = time(), self._pause_seconds()
        while (left := began + seconds - time()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._joined.wait()
            seconds = max(seconds, self._pause_seconds())

    async def turn(self) -> None:
        """Wait for the channel's next edit."""
        await self._limiter.acquire()

    def _pause_seconds(self) -> float:
        answers = min(EDITS, max(1, self._answers))
        kept = 1 if answers <= 2 else answers  # of two ends at once, one waits 1.25 s
        return answers * EDITS_SECONDS / max(EDITS - kept, 1 / EDITS)


class EditTurns:
    """When an answer is edited while it is written. Its end is shown at once, without a turn."""

    def __init__(self, reply: Reply, edits: ChannelEdits) -> None:
        self._reply = reply
        self._edits = edits
        self._joined = False
        self._edited = False

    async def next(self) -> bool:
        """Wait for the next turn; False where the reply ends before it."""
        if not self._joined and self._reply.state in (ReplyState.THINKING, ReplyState.WRITING):
            self._joined = True
            self._edits.join()
        return await self._reply.goes_on_after(self._turn())

    async def _turn(self) -> None:
        if self._edited:
            await self._edits.pause()
        await self._edits.turn()
        self._edited = True

    def close(self) -> None:
        """The answer has ended, and that is shown."""
        if self._joined:
            self._edits.leave()


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
