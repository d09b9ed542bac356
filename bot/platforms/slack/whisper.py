"""Lines that only one person sees."""

from slack_sdk.errors import SlackApiError

from bot.platforms.slack.blocks import own_sections, summary
from bot.platforms.slack.errors import code_of
from bot.platforms.slack.sending import retried
from bot.platforms.slack.workspace import Workspace


async def whisper(
    workspace: Workspace, channel: str, user: str, text: str, thread: str | None = None
) -> None:
    """Say something only to this person; in private where there is no channel ("")."""
    blocks, short = own_sections(text), summary(text)
    if not channel:
        opened = await retried(workspace.client.conversations_open, users=user)
        direct = opened["channel"]["id"]
        await retried(workspace.client.chat_postMessage, channel=direct, blocks=blocks, text=short)
        return
    try:
        await retried(
            workspace.client.chat_postEphemeral,
            channel=channel,
            user=user,
            thread_ts=thread,
            blocks=blocks,
            text=short,
        )
    except SlackApiError as error:
        if code_of(error) not in ("not_in_channel", "channel_not_found"):
            raise
        await whisper(workspace, "", user, text)
