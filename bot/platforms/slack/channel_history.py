"""What was said in a channel, read page by page: its threads are behind their first messages.

https://docs.slack.dev/reference/methods/conversations.history
"""

from collections.abc import AsyncIterator

from bot.platforms.slack.limits import PAGE
from bot.platforms.slack.messages import Payload, is_shown
from bot.platforms.slack.sending import retried
from bot.platforms.slack.workspace import Workspace


async def channel_page(
    workspace: Workspace,
    channel: str,
    *,
    latest: str = "",
    oldest: str = "0",
    limit: int = PAGE,
    cursor: str = "",
) -> tuple[list[Payload], str]:
    """Messages between the two times, newest first, and the cursor of the next page; "": no more.

    One call. Raises SlackApiError, OSError.
    """
    page = await workspace.client.conversations_history(
        channel=channel,
        latest=latest or None,
        oldest=oldest,
        limit=limit,
        cursor=cursor or None,
    )
    messages: list[Payload] = page.get("messages") or []
    cursor = (page.get("response_metadata") or {}).get("next_cursor", "")
    return [m for m in messages if is_shown(m, workspace)], cursor


async def said_in(
    workspace: Workspace, channel: str, *, latest: str = "", oldest: str = "0"
) -> AsyncIterator[Payload]:
    """What people and apps said between the two times and the bot answered, newest first.

    A call for each page; each waits as long as Slack says. Raises SlackApiError, OSError.
    """
    cursor = ""
    while True:
        messages, cursor = await retried(
            channel_page, workspace, channel, latest=latest, oldest=oldest, cursor=cursor
        )
        for message in messages:
            yield message
        if not cursor:
            return
