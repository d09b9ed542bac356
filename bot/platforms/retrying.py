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
from bot.platforms.base import PlatformUnusable

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger()

LONGEST_RETRY_SECONDS = 20.0
GIVE_UP_SECONDS = 600.0
"""How long the end of an answer is tried to be shown while the platform is down or busy, and how
long a start waits for the platform."""


async def retried(
    is_passing: Callable[[BaseException], bool],
    func: Callable[P, Awaitable[T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """What `func` returns, called again while it raises an error that `is_passing`."""

    async def call() -> T:
        return await func(*args, **kwargs)

    def tell(state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        pause = state.next_action.sleep if state.next_action else 0.0
        log.warning(
            "the platform is busy or out of reach, trying again",
            call=getattr(func, "__qualname__", ""),
            error=type(error).__name__,
            pause_seconds=round(pause, 1),
        )

    return await AsyncRetrying(
        retry=retry_if_exception(is_passing),
        wait=wait_random_exponential(max=LONGEST_RETRY_SECONDS),
        stop=stop_after_delay(GIVE_UP_SECONDS),
        before_sleep=tell,
        reraise=True,
    )(call)


def out_of_reach(name: str, address: str, error: Exception, *, passing: bool) -> PlatformUnusable:
    """That a platform can't be reached; where that is `passing`, another start may help."""
    reason = " ".join(str(error).split()) or type(error).__name__
    code = ExitCode.FAILURE if passing else ExitCode.UNUSABLE
    return PlatformUnusable(f"{name} can't be reached at {address}: {reason}", code)
