"""Slack's native streams: text that only grows, reasoning and calls as tasks.

https://docs.slack.dev/reference/methods/chat.startStream
"""

import time
from collections.abc import Sequence

from slack_sdk.errors import SlackApiError
from slack_sdk.models.messages.chunk import Chunk
from slack_sdk.web.async_chat_stream import AsyncChatStream

from bot.platforms.slack.blocks import Block
from bot.platforms.slack.errors import code_of
from bot.platforms.slack.limits import STREAM_SECONDS
from bot.platforms.slack.mrkdwn import plain_markdown, stable
from bot.platforms.slack.tasks import Task
from bot.platforms.slack.workspace import Workspace


class Stream:
    """One answer's stream. Every method raises SlackApiError when Slack has ended or refused it."""

    def __init__(self, chat: AsyncChatStream) -> None:
        self._chat = chat
        self.source = ""
        """As much of the answer as was sent."""
        self._sent = 0
        self._statuses: dict[str, str] = {}
        """Of the tasks, by their ids."""
        self._began = time.monotonic()

    @classmethod
    async def into(cls, workspace: Workspace, channel: str, thread: str, asker: str) -> "Stream":
        """A stream into a thread; Slack hears of it with the first text."""
        chat = await workspace.client.chat_stream(
            buffer_size=1,
            channel=channel,
            thread_ts=thread,
            recipient_team_id=workspace.team,
            recipient_user_id=asker,
        )
        return cls(chat)

    @property
    def ts(self) -> str | None:
        """The message's timestamp, once it is begun."""
        return self._chat.ts

    @property
    def is_old(self) -> bool:
        """Whether Slack would soon end it."""
        return time.monotonic() - self._began > STREAM_SECONDS

    async def write(self, text: str, tasks: Sequence[Task]) -> None:
        """Append what is new of the answer so far."""
        source = stable(text)
        whole = plain_markdown(source)
        new, changed = whole[self._sent :], self._changed(tasks)
        if new or changed:
            await self._chat.append(markdown_text=new or None, chunks=changed or None)
            self._sent, self.source = len(whole), source

    async def end(
        self,
        text: str,
        tasks: Sequence[Task],
        blocks: Sequence[Block],
        session: str | None,
    ) -> None:
        """Append the rest and end the stream with `blocks` under it; `session`: its status then."""
        whole = plain_markdown(text)
        await self._chat.stop(
            markdown_text=whole[self._sent :] or None,
            chunks=self._changed(tasks) or None,
            blocks=blocks,
            session_status=session,
        )

    async def close(self) -> None:
        """End the stream as it stands."""
        await self._chat.stop()

    def _changed(self, tasks: Sequence[Task]) -> list[Chunk]:
        """Those that Slack has not heard of, or not in their present state."""
        changed: list[Chunk] = []
        for task in tasks:
            if self._statuses.get(task.id) != task.status:
                self._statuses[task.id] = task.status
                changed.append(task.chunk())
        return changed


def is_refused(error: Exception) -> bool:
    """Whether the workspace has no streams, so that it need not be tried again."""
    return isinstance(error, SlackApiError) and code_of(error) in REFUSED


REFUSED = {
    "access_denied",
    "feature_not_enabled",
    "method_not_supported_for_channel_type",
    "missing_scope",
    "no_permission",
    "not_allowed_token_type",
    "restricted_action",
    "team_access_not_granted",
    "unknown_method",
}
