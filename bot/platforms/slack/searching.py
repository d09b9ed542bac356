"""Slack's own search, with the asker's rights: those of the token that came with the question.

https://docs.slack.dev/reference/methods/assistant.search.context
"""

from collections.abc import Sequence

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError

from bot.platforms.slack.errors import describe
from bot.platforms.slack.messages import Payload
from bot.platforms.slack.mrkdwn import decoded
from bot.platforms.slack.workspace import Workspace
from bot.tools import MessageHit, SearchHere, ToolError

MOST = 20


def search_of(question: Payload, workspace: Workspace) -> SearchHere | None:
    """The search for who asks; None where Slack sent no token for it.

    Only public channels are searched: what stands in private ones is told nowhere else.
    """
    thread = question.get("assistant_thread")
    inside = thread.get("action_token") if isinstance(thread, dict) else None
    token = question.get("action_token") or inside
    if not token:
        return None

    async def search(query: str, count: int) -> Sequence[MessageHit]:
        try:
            found = await workspace.client.assistant_search_context(
                query=query,
                action_token=str(token),
                channel_types=["public_channel"],
                content_types=["messages"],
                limit=min(count, MOST),
            )
        except (SlackApiError, OSError, ClientError) as error:
            raise ToolError(f"Slack refused the search: {describe(error)}") from None
        results = found.get("results") or {}
        return [
            MessageHit(
                str(one.get("author_name") or "somebody"),
                f"#{one.get('channel_name') or one.get('channel_id')}",
                await decoded(str(one.get("content") or ""), workspace.name_of),
                str(one.get("permalink") or ""),
            )
            for one in results.get("messages") or ()
        ][:count]

    return search
