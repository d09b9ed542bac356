"""Calls to a platform that are tried again until they land."""

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

from bot.exit_code import ExitCode
from bot.one_line import one_line
from bot.platforms.base import PlatformUnusable

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger()

LONGEST_RETRY_SECONDS = 20.0
GIVE_UP_SECONDS = 600.0
"""How long the end of an answer is retried while the platform is down or busy, and how long a start
waits for the platform."""


async def retried(
    is_passing: Callable[[BaseException], bool],
    func: Callable[P, Awaitable[T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """What `func` returns, called again while it raises an error that `is_passing`."""
    name = getattr(func, "__qualname__", "")
    waiting = f"the platform is busy or out of reach, trying {name} again"

    async def call() -> T:
        return await func(*args, **kwargs)

    return await _retrying(is_passing, lambda error: waiting)(call)


async def reached(
    name: str,
    address: str,
    is_passing: Callable[[BaseException], bool],
    connect: Callable[P, Awaitable[T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """What `connect` returns: a start waits for the platform, as at boot for the network."""

    async def call() -> T:
        return await connect(*args, **kwargs)

    def waiting(error: BaseException | None) -> str:
        return f"{name} can't be reached at {address}: {one_line(error)}; trying again"

    return await _retrying(is_passing, waiting)(call)


def _retrying(
    is_passing: Callable[[BaseException], bool], waiting: Callable[[BaseException | None], str]
) -> AsyncRetrying:
    """`waiting` says in the log what is waited for, by the error that was raised."""

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        pause = state.next_action.sleep if state.next_action else 0.0
        log.warning(waiting(error), error=type(error).__name__, pause_seconds=round(pause, 1))

    return AsyncRetrying(
        retry=retry_if_exception(is_passing),
        wait=wait_random_exponential(max=LONGEST_RETRY_SECONDS),
        stop=stop_after_delay(GIVE_UP_SECONDS),
        before_sleep=tell,
        reraise=True,
    )


def out_of_reach(name: str, address: str, error: Exception, *, passing: bool) -> PlatformUnusable:
    """That a platform can't be reached; where that is `passing`, another start may help."""
    code = ExitCode.FAILURE if passing else ExitCode.UNUSABLE
    return PlatformUnusable(f"{name} can't be reached at {address}: {one_line(error)}", code)
