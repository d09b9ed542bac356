"""The conversation that a question on Slack goes on with, and what stands above it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.platforms.reading_limits import ReadingLimits
from bot.platforms.right_before import right_before
from bot.platforms.slack.above import Above
from bot.platforms.slack.messages import History, Payload, Threads, is_of_app, thread_of
from bot.platforms.slack.workspace import Workspace


@dataclass(frozen=True)
class Before:
    """What was said before a question, oldest first.

    above: what stands in the channel before the conversation begins.
    problems: the keys of texts that say why some of it may be missing.
    """

    history: Sequence[Payload]
    above: Sequence[Payload]
    problems: Sequence[str]


class Conversations:
    """What was said before questions, and who remembers which part of it."""

    def __init__(self) -> None:
        self.threads = Threads()
        self._above = Above()

    def forget(self, channel: str, message: Payload) -> None:
        """The message was changed or deleted: read it again next time."""
        self.threads.forget(channel, thread_of(message))
        self._above.forget(channel, message["ts"])

    async def before(
        self, workspace: Workspace, channel: str, question: Payload, most: ReadingLimits
    ) -> Before:
        """The thread before the question, and what stands above its first message."""
        thread, above = await asyncio.gather(
            self.threads.before(workspace, channel, question, most.messages),
            self._before_thread(workspace, channel, thread_of(question), most.above),
        )
        (first, *_) = [*thread.messages, question]
        own = _own(first, above.messages, workspace)
        problems = dict.fromkeys(filter(None, (thread.problem, above.problem)))
        return Before(
            [*own, *thread.messages],
            above.messages[len(own) :][: most.above][::-1],
            list(problems),
        )

    async def _before_thread(
        self, workspace: Workspace, channel: str, root: str, most: int
    ) -> History:
        if channel.startswith("D"):
            return History([])
        return await self._above.before(workspace, channel, root, most)


def _own(root: Payload, earlier: Sequence[Payload], workspace: Workspace) -> list[Payload]:
    """What the person who began the thread had said right before; `earlier` newest first.

    What they asked the bot before has its own thread.
    """
    if is_of_app(root):
        return []

    def is_own(message: Payload) -> bool:
        asked = f"<@{workspace.me}>" in str(message.get("text") or "")
        asked = asked or workspace.me in message.get("reply_users", ())
        return message.get("user") == root.get("user") and not is_of_app(message) and not asked

    return right_before(_time(root), earlier, is_own, _time)


def _time(message: Payload) -> datetime:
    return datetime.fromtimestamp(float(message["ts"]), UTC)
