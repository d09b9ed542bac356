"""The answer to a slash command, at the address that came with it.

https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
"""

from collections.abc import Sequence

import structlog
from aiohttp import ClientError
from slack_sdk.webhook.async_client import AsyncWebhookClient
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from bot.platforms.slack.blocks import Block, own_messages
from bot.platforms.slack.limits import RESPONSES
from bot.platforms.slack.whisper import show_only_to
from bot.platforms.slack.workspace import Workspace

log = structlog.get_logger()

RenderedMessage = tuple[Sequence[Block], str]
"""A message as blocks, and as text."""

ATTEMPTS = 3
LONGEST_PAUSE_SECONDS = 3.0


class _Passing(Exception):
    """The address failed, and may not the next time."""


async def respond(workspace: Workspace, url: str, channel: str, user: str, text: str) -> None:
    """Show what a command answers, only to who gave it.

    Raises SlackApiError.
    """
    messages: list[RenderedMessage] = [*own_messages(text)] if text else []
    if len(messages) <= RESPONSES:
        messages = await responded(url, messages)
    await show_only_to(user, messages, workspace, channel)


async def responded(url: str, messages: Sequence[RenderedMessage]) -> list[RenderedMessage]:
    """Show messages through the address; those that it did not take."""
    webhook, left = AsyncWebhookClient(url), list(messages)
    while left and await _responded(webhook, *left[0]):
        left.pop(0)
    return left


async def _responded(webhook: AsyncWebhookClient, blocks: Sequence[Block], text: str) -> bool:
    """Whether the address took a message."""

    async def send() -> int:
        try:
            answer = await webhook.send(response_type="ephemeral", text=text, blocks=blocks)
        except (OSError, ClientError) as error:
            raise _Passing(type(error).__name__) from error
        if answer.status_code >= 500 or answer.status_code == 429:
            raise _Passing(f"status {answer.status_code}")
        return answer.status_code

    try:
        status: int = await AsyncRetrying(
            retry=retry_if_exception_type(_Passing),
            wait=wait_random_exponential(max=LONGEST_PAUSE_SECONDS),
            stop=stop_after_attempt(ATTEMPTS),
            reraise=True,
        )(send)
    except _Passing as error:
        log.warning("slack: a response_url failed, only its person is told", reason=str(error))
        return False
    if status >= 400:
        log.info("slack: a response_url was not usable any more", status=status)
    return status < 400
