"""What was said in a channel of Slack, told to a person who is in it."""

import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from bot.conversation.catching_up import CatchUp, TranscriptMessage, UnreadableChannel
from bot.conversation.commands import CommandError
from bot.conversation.core import Core
from bot.conversation.events import Author, Message
from bot.conversation.gate import check_access
from bot.conversation.in_effect import InEffect
from bot.conversation.texts import Texts
from bot.platforms.background import Background
from bot.platforms.catching_up import read_back, show_summary
from bot.platforms.exchange import Exchange
from bot.platforms.exchanges import Exchanges
from bot.platforms.slack.channel_history import said_in
from bot.platforms.slack.errors import describe, is_passing
from bot.platforms.slack.limits import PAGE
from bot.platforms.slack.messages import Payload, is_shown, place_of, question_key
from bot.platforms.slack.private_view import PrivateLook, PrivateView
from bot.platforms.slack.reader import Reader
from bot.platforms.slack.sending import pages
from bot.platforms.slack.workspace import Workspace

log = structlog.get_logger()

JUMP = re.compile(r"<?https?://[\w.-]*slack\.com/archives/[^\s<>()\[\]]*>?", re.IGNORECASE)

THREAD_NAME_LENGTH = 60
"""Of its first message, by which the model knows a thread."""


@dataclass(frozen=True)
class Requester:
    """Who gives a command, such as to catch up, and where.

    thread: the one they are in; None: the channel itself.
    before: the timestamp from which on nothing is read, such as that of the command.
    url: the response_url of what they did, if there is one.
    message: theirs, if they wrote one.
    """

    workspace: Workspace
    channel: str
    thread: str | None
    person: str
    before: str
    url: str = ""
    message: Payload | None = None


class CatchUps:
    """Begins to tell people what was said."""

    def __init__(
        self,
        core: Core,
        exchanges: Exchanges[Exchange[Any, Any]],
        reader: Reader,
        background: Background,
    ) -> None:
        self._core = core
        self._exchanges = exchanges
        self._reader = reader
        self._background = background

    async def begin(
        self,
        requester: Requester,
        here: InEffect,
        author: Author,
        since: datetime | None,
        given: str,
    ) -> None:
        """See Conversation.summarize."""
        workspace, texts = requester.workspace, here.texts
        channel, thread = requester.channel, requester.thread
        if given:
            channel, thread = await self._channel_of(requester, given, texts), None
            place = place_of(workspace.team, channel, None)
            check_access(await self._core.read(place), author)
        name = f"#{await workspace.name_of(channel)}"
        source = _ChannelReader(
            workspace, channel, thread, requester.before, name, self._reader, texts
        )
        zone = here.zone_of(author)
        number = f"{time.time():.6f}"
        wish = CatchUp(
            Message(number, author, ""),
            read=partial(read_back, source, author.id, since),
            jump=JUMP,
            when=lambda at: f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}",
            zone=zone,
        )

        look = PrivateLook(
            texts,
            "" if here.place.direct else requester.channel,
            requester.thread,
            requester.person,
            number,
            requester.url,
            begun=texts("summary_begun", channel=name),
            heading=texts("summary_heading", channel=name),
        )
        view = PrivateView(look, workspace)
        key = question_key(workspace, requester.channel, number)
        await show_summary(wish, key, here, view, self._core, self._exchanges, self._background)

    async def _channel_of(self, requester: Requester, given: str, texts: Texts) -> str:
        """The id of the channel that was given, if the person is in it. Raises CommandError."""
        try:
            found = await requester.workspace.channel_of(requester.person, given)
        except SlackApiError as error:
            log.warning("slack does not tell a person's channels", reason=describe(error))
            found = None
        if found is None:
            shown = given.rpartition("|")[2].rstrip(">") or given
            raise CommandError(texts("summary_unreadable", channel=shown))
        return found


class _ChannelReader:
    """See catching_up.ChannelReader."""

    def __init__(
        self,
        workspace: Workspace,
        channel: str,
        thread: str | None,
        before: str,
        name: str,
        reader: Reader,
        texts: Texts,
    ) -> None:
        self._workspace = workspace
        self._channel = channel
        self._thread = thread
        self._before = before
        self._name = name
        self._reader = reader
        self._texts = texts
        self._roots: dict[str, Payload] = {}

    async def pages(self, since: datetime) -> AsyncIterator[Sequence[TranscriptMessage]]:
        oldest = _just_before(since)
        try:
            if self._thread is not None:
                async for page in self._thread_backwards(self._thread, oldest):
                    yield page
                return
            messages = said_in(self._workspace, self._channel, latest=self._before, oldest=oldest)
            async for message in messages:
                if message.get("reply_count"):
                    self._roots[message["ts"]] = message
                yield await self._said([message])
        except SlackApiError as error:
            if is_passing(error):
                raise
            log.warning("slack: a channel can't be read", reason=describe(error))
            raise UnreadableChannel(
                self._texts("summary_unreadable", channel=self._name)
            ) from error

    async def _thread_backwards(
        self, thread: str, oldest: str
    ) -> AsyncIterator[Sequence[TranscriptMessage]]:
        """A thread's pages come oldest first."""
        found: dict[str, Payload] = {}
        async for page in self._replies(thread, oldest):
            found |= {message["ts"]: message for message in page.get("messages") or ()}
        yield await self._said([found[ts] for ts in sorted(found, reverse=True)])

    async def threads(self, since: datetime) -> AsyncIterator[Sequence[TranscriptMessage]]:
        newest_first = sorted(
            self._roots.values(), key=lambda root: str(root.get("latest_reply")), reverse=True
        )
        for root in newest_first:
            name = " ".join(first.message.text for first in await self._said([root]))
            name = " ".join(name.split())[:THREAD_NAME_LENGTH]
            async for page in self._replies(root["ts"], _just_before(since)):
                replies = [m for m in page.get("messages") or [] if m["ts"] != root["ts"]]
                yield await self._said(replies, name or "…")

    def _replies(self, thread: str, oldest: str) -> AsyncIterator[Payload]:
        return pages(
            self._workspace.client.conversations_replies,
            channel=self._channel,
            ts=thread,
            oldest=oldest,
            latest=self._before,
            limit=PAGE,
        )

    async def _said(self, messages: Sequence[Payload], thread: str = "") -> list[TranscriptMessage]:
        """Those of the messages in which something was said."""
        shown = [message for message in messages if is_shown(message, self._workspace)]
        read = await self._reader.read_above(shown, self._workspace)
        return [
            TranscriptMessage(said, time_of(message["ts"]), await self._link(message), thread)
            for message, said in zip(shown, read, strict=True)
            if said.text or said.attachments
        ]

    async def _link(self, message: Payload) -> str:
        """https://docs.slack.dev/reference/methods/chat.getPermalink tells the same, one by one."""
        number = message["ts"].replace(".", "")
        link = f"{await self._workspace.url()}archives/{self._channel}/p{number}"
        thread = message.get("thread_ts")
        if thread in (None, message["ts"]):
            return link
        return f"{link}?thread_ts={thread}&cid={self._channel}"


def _just_before(since: datetime) -> str:
    """The timestamp after which messages are from `since` on."""
    return f"{(since - timedelta(microseconds=1)).timestamp():.6f}"


def time_of(ts: str) -> datetime:
    """The time of a message with this timestamp."""
    seconds, _, micros = ts.partition(".")
    return datetime.fromtimestamp(int(seconds), UTC) + timedelta(microseconds=int(micros or 0))
