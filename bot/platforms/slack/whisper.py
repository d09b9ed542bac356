"""Lines of the bot's own: for everybody in a thread, or for one person only."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from bot.platforms.slack.blocks import Block, own_messages
from bot.platforms.slack.errors import describe, is_passing, messages_of, refuses_blocks
from bot.platforms.slack.sending import retried
from bot.platforms.slack.workspace import Workspace

log = structlog.get_logger()

Call = Callable[..., Awaitable[Any]]


async def with_text(call: Call, blocks: Sequence[Block], text: str, **arguments: Any) -> None:
    """Call a method that shows `blocks`, and where Slack refuses them `text`, which says the same.

    Raises SlackApiError.
    """
    try:
        await retried(call, blocks=blocks, text=text, **arguments)
    except SlackApiError as error:
        if not refuses_blocks(error):
            raise
        reason, messages = describe(error), messages_of(error)
        log.warning("slack refused blocks, the words go as text", reason=reason, messages=messages)
        await retried(call, text=text, **arguments)


async def speak(workspace: Workspace, channel: str, thread: str, text: str) -> None:
    """Say something in a thread. Raises SlackApiError."""
    for blocks, plain in own_messages(text):
        await with_text(
            workspace.client.chat_postMessage,
            blocks,
            plain,
            channel=channel,
            thread_ts=thread,
            unfurl_links=False,
            unfurl_media=False,
        )


async def whisper(
    workspace: Workspace,
    channel: str,
    user: str,
    text: str,
    thread: str | None = None,
    under: Sequence[Block] = (),
) -> None:
    """Say something only to this person, in private without a channel ("").

    under: blocks below the last message. Raises SlackApiError where that is refused in private too.
    """
    *before, (blocks, plain) = own_messages(text)
    messages = [*before, ([*blocks, *under], plain)]
    await show_only_to(user, messages, workspace, channel, thread)


async def show_only_to(
    user: str,
    messages: Sequence[tuple[Sequence[Block], str]],
    workspace: Workspace,
    channel: str,
    thread: str | None = None,
) -> None:
    """Show messages, each as blocks and as text, only to this person. See `whisper`."""
    client = workspace.client
    for blocks, plain in messages:
        if channel:
            try:
                await with_text(
                    client.chat_postEphemeral,
                    blocks,
                    plain,
                    channel=channel,
                    user=user,
                    thread_ts=thread,
                )
                continue
            except SlackApiError as error:
                if is_passing(error):
                    raise
                log.info("slack refused a private line, it goes by itself", reason=describe(error))
                channel = ""
        opened = await retried(client.conversations_open, users=user)
        direct = opened["channel"]["id"]
        await with_text(client.chat_postMessage, blocks, plain, channel=direct)
