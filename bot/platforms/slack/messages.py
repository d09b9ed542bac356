"""Slack's messages as the core's, and the thread that a message belongs to."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.conversation.events import Place, QuestionKey
from bot.platforms.borders import from_border
from bot.platforms.slack.blocks import ButtonValue, answer_in, buttons_in, markdown
from bot.platforms.slack.errors import code_of, describe
from bot.platforms.slack.limits import HISTORY_SECONDS, PAGE
from bot.platforms.slack.sending import pages, retried
from bot.platforms.slack.workspace import Workspace
from bot.platforms.written import WrittenAnswer, WrittenAnswers

log = structlog.get_logger()

Payload = dict[str, Any]

SPOKEN = {None, "file_share", "thread_broadcast"}
"""Subtypes of messages that people wrote: https://docs.slack.dev/reference/events/message"""
SHOWN = {*SPOKEN, "bot_message", "me_message"}
"""Those that people see as words of somebody, apps included."""
GONE = {"message_not_found", "thread_not_found"}
"""Slack's words for a message that was deleted."""
KNOWN_FOREIGN = "gptoss_foreign"
"""In a message whose answer this run knows: whether it is made from others' words."""
THREADS = 500
"""Threads that are remembered, so that a turn reads only what is new."""


def place_of(team: str, channel: str, thread: str | None) -> Place:
    """Where a channel or thread is; a private conversation is one, whatever its threads."""
    direct = is_direct(channel)
    return Place("slack", team, channel, None if direct else thread, direct=direct)


def is_direct(channel: str) -> bool:
    """Whether it is a private conversation of one person with the bot."""
    return channel.startswith("D")


def key_of(channel: str, ts: str) -> str:
    """What a message is remembered by: its timestamp is unique only in its channel."""
    return f"{channel}:{ts}"


def question_key(workspace: Workspace, channel: str, ts: str) -> QuestionKey:
    return QuestionKey(f"{workspace.team}:{workspace.me}", key_of(channel, ts))


def number_of(message: Payload) -> int:
    """Its timestamp in microseconds."""
    return int(message["ts"].replace(".", ""))


def thread_of(message: Payload) -> str:
    """The timestamp of the thread that a message is in, or begins."""
    return str(message.get("thread_ts") or message["ts"])


def is_spoken(message: Payload) -> bool:
    """Whether a person wrote it, or another app as a user of its own."""
    return message.get("subtype") in SPOKEN and "user" in message


def is_of_app(message: Payload) -> bool:
    return "bot_id" in message


def is_shown(message: Payload, workspace: Workspace) -> bool:
    """Whether it is part of a conversation: a person's, another app's, or an answer."""
    if message.get("user") == workspace.me:
        return answer_in(message) is not None
    return message.get("subtype") in SHOWN


class History(NamedTuple):
    """Messages, and the key of a text that says why some may be missing."""

    messages: Sequence[Payload]
    problem: str = ""


@dataclass
class _CachedThread:
    """The messages that are known, by timestamp; all of them up to `until`."""

    messages: dict[str, Payload] = field(default_factory=dict)
    until: str = "0"


class ThreadCache:
    """The messages of threads: Slack is asked only for new ones."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], _CachedThread] = OrderedDict()
        self._written = WrittenAnswers()
        self._answers: OrderedDict[tuple[str, str], str] = OrderedDict()
        """The newest answer in a thread: Slack may count it only a moment later."""

    def forget(self, channel: str, thread: str) -> None:
        """Something in the thread was changed or deleted: read it again next time."""
        self._known.pop((channel, thread), None)

    def answered(
        self, channel: str, thread: str, messages: Sequence[str], written: WrittenAnswer
    ) -> None:
        """An answer is shown by the messages with these timestamps."""
        self._written.put([key_of(channel, ts) for ts in messages], written)
        self._answers[channel, thread] = max(messages, default="")
        self._answers.move_to_end((channel, thread))
        while len(self._answers) > THREADS:
            self._answers.popitem(last=False)

    async def before(
        self, workspace: Workspace, channel: str, message: Payload, limit: int
    ) -> History:
        """At most `limit` messages of the thread before `message`, those of the bot too."""
        thread = thread_of(message)
        if thread == message["ts"]:
            return History([])  # it begins the thread
        known, problem = await self._read(workspace, channel, thread)
        earlier = [m for ts, m in sorted(known.items()) if ts < message["ts"]]
        shown = [m for m in earlier if is_shown(m, workspace)]
        if len(shown) > limit > 1:  # the message that the thread is about stays
            shown = [shown[0], *from_border(shown[1 - limit :], number_of)]
        return History([self._as_written(channel, m) for m in shown[-limit:]], problem)

    async def whole(self, workspace: Workspace, channel: str, root: Payload) -> History:
        """The message that begins a thread, with the thread: read where it has what isn't known."""
        newest = str(root.get("latest_reply") or "")
        newest = max(newest, self._answers.get((channel, root["ts"]), ""))
        if not newest and not root.get("reply_count"):
            return History([root])
        known, problem = await self._read(workspace, channel, root["ts"], newest)
        shown = [m for _, m in sorted(known.items()) if is_shown(m, workspace)]
        return History([self._as_written(channel, m) for m in shown or [root]], problem)

    def _as_written(self, channel: str, message: Payload) -> Payload:
        """An answer as the model wrote it, in place of how it is shown."""
        known = self._written.get(key_of(channel, message["ts"]))
        if known is None:
            return message
        return message | {"blocks": [markdown(known.text)], KNOWN_FOREIGN: known.foreign}

    async def latest_of(
        self, workspace: Workspace, channel: str, thread: str, person: str
    ) -> tuple[ButtonValue, str] | None:
        """The buttons of the person's newest answer in the thread, and the message with them."""
        known, _ = await self._read(workspace, channel, thread)
        for ts in sorted(known, reverse=True):
            if known[ts].get("user") == workspace.me:
                for button in buttons_in(known[ts].get("blocks", ())):
                    if button.asker == person:
                        return button, ts
        return None

    async def shown_in(
        self, workspace: Workspace, channel: str, thread: str, messages: Sequence[str]
    ) -> str:
        """The answer that messages of a thread show, by their timestamps."""
        self.forget(channel, thread)
        known, _ = await self._read(workspace, channel, thread)
        found = [answer_in(known[ts]) for ts in messages if ts in known]
        return "\n".join(filter(None, found))

    async def answer_to(self, workspace: Workspace, channel: str, question: Payload) -> list[str]:
        """The timestamps of the bot's messages that answer a question.

        Those whose buttons name it, and those without buttons right after it: they were cut off.
        """
        known, _ = await self._read(workspace, channel, thread_of(question))
        found: list[str] = []
        right_after = True
        for ts, message in sorted(known.items()):
            if ts <= question["ts"]:
                continue
            if message.get("user") != workspace.me:
                right_after = False
                continue
            named = [button.question for button in buttons_in(message.get("blocks", ()))]
            if question["ts"] in named or (right_after and not named):
                found.append(ts)
        return found

    async def _read(
        self, workspace: Workspace, channel: str, thread: str, newest: str = ""
    ) -> tuple[dict[str, Payload], str]:
        """The messages by timestamp, and the key of a text where some may be missing.

        Slack isn't asked where the thread is known up to its `newest`.
        """
        known = self._thread(channel, thread)
        if newest and newest <= known.until:
            return known.messages, ""
        problem = ""
        try:
            async with asyncio.timeout(HISTORY_SECONDS):
                await _read_pages(workspace, channel, thread, known)
        except TimeoutError:
            log.warning("slack: a thread was not read in time", seconds=HISTORY_SECONDS)
            problem = "history_late"
        except (SlackClientError, OSError) as error:
            log.warning("slack: a thread can't be read", reason=describe(error))
            problem = "lacks_history"
        return known.messages, problem

    def _thread(self, channel: str, thread: str) -> _CachedThread:
        known = self._known.setdefault((channel, thread), _CachedThread())
        self._known.move_to_end((channel, thread))
        while len(self._known) > THREADS:
            self._known.popitem(last=False)
        return known


async def _read_pages(
    workspace: Workspace, channel: str, thread: str, known: _CachedThread
) -> None:
    """Read what is new. Raises SlackApiError, OSError."""
    newest = known.until
    read = workspace.client.conversations_replies
    async for page in pages(read, channel=channel, ts=thread, oldest=known.until, limit=PAGE):
        messages = page.get("messages") or []
        known.messages |= {message["ts"]: message for message in messages}
        newest = max([newest, *(message["ts"] for message in messages)])
    known.until = newest


async def message_at(workspace: Workspace, channel: str, thread: str, ts: str) -> Payload | None:
    """A person's message as it is now; None where it is gone or can't be read."""
    try:
        return await asked_at(workspace, channel, thread, ts)
    except SlackApiError as error:
        log.warning("slack: a question can't be read", reason=describe(error))
        return None


async def asked_at(workspace: Workspace, channel: str, thread: str, ts: str) -> Payload | None:
    """A person's message as it is now; None where it is gone. Raises SlackApiError."""
    try:
        found = await retried(
            workspace.client.conversations_replies,
            channel=channel,
            ts=thread,
            oldest=ts,
            latest=ts,
            inclusive=True,
            limit=1,
        )
    except SlackApiError as error:
        if code_of(error) in GONE:
            return None
        raise
    messages: list[Payload] = found.get("messages") or []
    return next((m for m in messages if m["ts"] == ts and is_spoken(m)), None)
