"""Waiting for a service that loads, restarts, or refuses for a moment."""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import structlog

from bot.client import InferenceClient, InferenceError, NotReady
from bot.conversation.reply import Reply, ReplyState

if TYPE_CHECKING:
    from tenacity import RetryCallState

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger()

PATIENCE_SECONDS = 30.0
"""How long a service that refuses, though its health is fine, is asked again."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0


async def until_ready(client: InferenceClient, reply: Reply, deadline: float) -> None:
    """Wait for the service, and tell how far it is. Raises InferenceError after the deadline."""
    health = await client.health()
    while not health.ready:
        if time.monotonic() > deadline:
            raise InferenceError(f"not ready in time: {health.status} {health.detail}")
        reply.stage, reply.progress = health.status, health.progress
        reply.change(ReplyState.LOADING)
        health = await client.next_health()
    reply.change(ReplyState.QUEUED)


async def patiently(
    client: InferenceClient,
    reply: Reply,
    ask: Callable[P, Awaitable[T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """What `ask` gives, asked again with growing pauses while the service answers 503 though its
    health is fine.

    A proxy in front of it may do that, or a machine under load. Raises InferenceError.
    """

    from tenacity import AsyncRetrying, stop_before_delay  # from the first question on
    from tenacity.asyncio import retry_if_exception

    async def only_refuses(error: BaseException) -> bool:
        return isinstance(error, NotReady) and (await client.health()).ready

    def tell(state: "RetryCallState") -> None:
        pause = state.next_action.sleep if state.next_action else 0.0
        log.warning("inference service refuses, trying again", pause_seconds=round(pause, 1))
        reply.change(ReplyState.UNAVAILABLE)

    async def call() -> T:
        return await ask(*args, **kwargs)

    retrying = AsyncRetrying(
        retry=retry_if_exception(only_refuses),
        wait=_pause,
        stop=stop_before_delay(PATIENCE_SECONDS),
        before_sleep=tell,
        reraise=True,
    )
    return await retrying(call)


def _pause(state: "RetryCallState") -> float:
    """Seconds before the next try, at least as long as the server asked for."""
    from tenacity import wait_exponential, wait_random

    error = state.outcome and state.outcome.exception()
    first = FIRST_PAUSE_SECONDS
    growing = wait_exponential(first, max=LONGEST_PAUSE_SECONDS) + wait_random(0, first)
    return max(growing(state), error.retry_after if isinstance(error, NotReady) else 0.0)
