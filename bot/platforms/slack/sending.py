"""Calls to Slack's Web API at the pace it allows, tried again until they land.

slack_sdk waits where a 429 says so. This keeps below the tiers, so that few calls are refused, and
goes on trying what must land while Slack is down.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar

from aiolimiter import AsyncLimiter

from bot.platforms import retrying
from bot.platforms.slack.errors import is_passing
from bot.platforms.slack.limits import (
    CALLS,
    POSTS,
    POSTS_SECONDS,
)

P = ParamSpec("P")
T = TypeVar("T")


class Pace:
    """Turns for what the bot sends: by workspace and method, messages by channel."""

    def __init__(self) -> None:
        self._methods = lru_cache(maxsize=4096)(lambda team, method: AsyncLimiter(*CALLS[method]))
        self._channels = lru_cache(maxsize=4096)(lambda channel: AsyncLimiter(POSTS, POSTS_SECONDS))
        self._without_streams: set[str] = set()

    def refuse_streams(self, team: str) -> None:
        """Remember that a workspace has no streams."""
        self._without_streams.add(team)

    async def stream_turn(self, team: str) -> bool:
        """Take a turn to begin a stream; False where there is none now, or never."""
        return team not in self._without_streams and await self.free_turn(team, "chat.startStream")

    async def post(self, channel: str) -> None:
        """Wait for this channel's next message."""
        await self._channels(channel).acquire()

    async def turn(self, team: str, method: str) -> None:
        """Wait for this workspace's next call of `method`."""
        await self._methods(team, method).acquire()

    async def free_turn(self, team: str, method: str) -> bool:
        """Take a turn if there is one now; what can be left out waits for none."""
        limiter = self._methods(team, method)
        if not limiter.has_capacity():
            return False
        await limiter.acquire()
        return True


async def retried(func: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `func` returns, called again while Slack is busy, down or out of reach."""
    return await retrying.retried(is_passing, func, *args, **kwargs)


async def pages(call: Callable[..., Awaitable[Any]], **arguments: Any) -> AsyncIterator[Any]:
    """What a method answers, page by page: https://docs.slack.dev/apis/web-api/pagination"""
    cursor: str | None = ""
    while cursor is not None:
        page = await retried(call, cursor=cursor or None, **arguments)
        yield page
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or None
