"""Calls to a platform that are tried again until they land."""

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

P = ParamSpec("P")
T = TypeVar("T")

LONGEST_RETRY_SECONDS = 20.0
GIVE_UP_SECONDS = 600.0
"""How long the end of an answer is tried to be shown while the platform is down or busy."""


async def retried(
    is_passing: Callable[[BaseException], bool],
    func: Callable[P, Awaitable[T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """What `func` returns, called again while it raises an error that `is_passing`."""

    async def call() -> T:
        return await func(*args, **kwargs)

    return await AsyncRetrying(
        retry=retry_if_exception(is_passing),
        wait=wait_random_exponential(max=LONGEST_RETRY_SECONDS),
        stop=stop_after_delay(GIVE_UP_SECONDS),
        reraise=True,
    )(call)
