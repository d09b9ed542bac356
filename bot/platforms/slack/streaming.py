"""Slack's native streams: text that only grows, and reasoning as a task.

https://docs.slack.dev/reference/methods/chat.startStream
"""

import time
from collections.abc import Sequence

from slack_sdk.errors import SlackApiError
from slack_sdk.models.messages.chunk import Chunk, TaskUpdateChunk
from slack_sdk.web.async_chat_stream import AsyncChatStream

from bot.platforms.slack.blocks import Block
from bot.platforms.slack.errors import code_of
from bot.platforms.slack.limits import STREAM_SECONDS, TEXT_LENGTH
from bot.platforms.slack.mrkdwn import plain_markdown, stable
from bot.platforms.slack.workspace import Workspace

TASK = "reasoning"


class Stream:
    """One answer's stream. Every method raises SlackApiError when Slack has ended or refused it."""

    def __init__(self, chat: AsyncChatStream, reasoning_title: str) -> None:
        self._chat = chat
        self._title = reasoning_title
        self.source = ""
        """As much of the answer as was sent."""
        self._sent = 0
        self._task_status = ""
        self._began = time.monotonic()

    @classmethod
    async def into(
        cls, workspace: Workspace, channel: str, thread: str, asker: str, reasoning_title: str
    ) -> "Stream":
        """A stream into a thread; Slack hears of it with the first text."""
        chat = await workspace.client.chat_stream(
            buffer_size=1,
            channel=channel,
            thread_ts=thread,
            recipient_team_id=workspace.team,
            recipient_user_id=asker,
        )
        return cls(chat, reasoning_title)

    @property
    def ts(self) -> str | None:
        """The message's timestamp, once it is begun."""
        return self._chat.ts

    @property
    def is_old(self) -> bool:
        """Whether Slack would soon end it."""
        return time.monotonic() - self._began > STREAM_SECONDS

    async def write(self, text: str, reasoning: str, *, thinking: bool) -> None:
        """Append what is new of the answer so far; `thinking`: whether reasoning goes on."""
        source = stable(text)
        whole = plain_markdown(source)
        new, task = whole[self._sent :], self._task(reasoning, thinking=thinking)
        if new or task:
            await self._chat.append(markdown_text=new or None, chunks=task)
            self._sent, self.source = len(whole), source

    async def end(
        self, text: str, reasoning: str, blocks: Sequence[Block], session: str | None
    ) -> None:
        """Append the rest and end the stream with `blocks` under it; `session`: its status then."""
        whole = plain_markdown(text)
        await self._chat.stop(
            markdown_text=whole[self._sent :] or None,
            chunks=self._task(reasoning, thinking=False),
            blocks=blocks,
            session_status=session,
        )

    async def close(self) -> None:
        """End the stream as it stands."""
        await self._chat.stop()

    def _task(self, reasoning: str, *, thinking: bool) -> list[Chunk] | None:
        """The reasoning's task where that has changed: begun, then complete."""
        status = "in_progress" if thinking else "complete"
        if not reasoning or status == self._task_status:
            return None
        self._task_status = status
        details = None if thinking else reasoning[-TEXT_LENGTH:]
        return [TaskUpdateChunk(id=TASK, title=self._title, status=status, details=details)]


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
