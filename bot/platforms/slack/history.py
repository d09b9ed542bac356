"""The conversation that a question on Slack continues, and what stands above it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.platforms.borders import from_border
from bot.platforms.reading_limits import ReadingLimits
from bot.platforms.right_before import OWN_MESSAGES, right_before
from bot.platforms.slack.above import AboveCache
from bot.platforms.slack.limits import DIRECT_MESSAGES, DIRECT_THREADS, PAGE, SILENCE_SECONDS
from bot.platforms.slack.messages import (
    History,
    Payload,
    ThreadCache,
    is_direct,
    is_of_app,
    number_of,
    thread_of,
)
from bot.platforms.slack.workspace import Workspace


@dataclass(frozen=True)
class PriorMessages:
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
        self.threads = ThreadCache()
        self._above = AboveCache()

    def forget(self, channel: str, message: Payload) -> None:
        """The message was changed or deleted: read it again next time."""
        self.threads.forget(channel, thread_of(message))
        self._above.forget(channel, message["ts"])

    async def before(
        self,
        workspace: Workspace,
        channel: str,
        question: Payload,
        most: ReadingLimits,
        since: str,
    ) -> PriorMessages:
        """The thread before the question, and what stands above its first message.

        A private conversation goes on from one message to the next: what stands above, as far as
        it was said after `since`, is part of it.
        """
        root = thread_of(question)
        reading = self.threads.before(workspace, channel, question, most.messages)
        if is_direct(channel):
            thread, earlier = await asyncio.gather(
                reading, self._earlier(workspace, channel, root, since)
            )
            problems = dict.fromkeys(filter(None, (thread.problem, earlier.problem)))
            return PriorMessages([*earlier.messages, *thread.messages], [], list(problems))
        asked_for = min(PAGE, OWN_MESSAGES + 2 * most.above)
        thread, above = await asyncio.gather(
            reading, self._above.before(workspace, channel, root, asked_for)
        )
        (first, *_) = [*thread.messages, question]
        own = _own(first, above.messages, workspace)
        problems = dict.fromkeys(filter(None, (thread.problem, above.problem)))
        return PriorMessages(
            [*own, *thread.messages],
            above.messages[len(own) :][: most.above][::-1],
            list(problems),
        )

    async def _earlier(self, workspace: Workspace, channel: str, root: str, since: str) -> History:
        """What was said in private before the message `root`, with the answers in its threads."""
        page = await self._above.before(workspace, channel, root, DIRECT_MESSAGES)
        going_on = _without_silence(root, [m for m in page.messages if m["ts"] > since])
        begun = going_on[-DIRECT_THREADS:]
        if len(begun) < len(going_on):
            begun = from_border(begun, number_of)
        threads = await asyncio.gather(
            *(self.threads.whole(workspace, channel, message) for message in begun)
        )
        said = [m for thread in threads for m in thread.messages if m["ts"] < root]
        problems = [page.problem, *(thread.problem for thread in threads)]
        return History(
            sorted(said, key=lambda message: str(message["ts"])),
            next(filter(None, problems), ""),
        )


def _without_silence(root: str, earlier: Sequence[Payload]) -> list[Payload]:
    """Those of a private conversation since its last long pause, oldest first."""
    found: list[Payload] = []
    later = root
    for message in earlier:
        last = min(str(message.get("latest_reply") or message["ts"]), later)
        if float(later) - float(last) > SILENCE_SECONDS:
            break
        found.insert(0, message)
        later = message["ts"]
    return found


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
