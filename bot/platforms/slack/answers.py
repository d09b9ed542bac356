"""The answers that the bot gives to messages: opens them, and finds them again."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from bot.conversation.core import Core
from bot.conversation.events import Question
from bot.conversation.importing import FILE_BYTES
from bot.conversation.in_effect import InEffect
from bot.platforms.attachments import Attachments
from bot.platforms.background import Background
from bot.platforms.download import Downloader
from bot.platforms.exchange import Exchange
from bot.platforms.exchanges import ChannelConversation, Exchanges
from bot.platforms.questions import question_of
from bot.platforms.reading_limits import reading_limits
from bot.platforms.slack.blocks import ButtonValue
from bot.platforms.slack.catching_up import CatchUps, Requester
from bot.platforms.slack.history import Conversations
from bot.platforms.slack.limits import FILE_HOSTS
from bot.platforms.slack.messages import (
    Payload,
    key_of,
    message_at,
    place_of,
    question_key,
    thread_of,
)
from bot.platforms.slack.reader import Reader, credentials, files_of
from bot.platforms.slack.searching import search_of
from bot.platforms.slack.sending import Pace
from bot.platforms.slack.view import Look, SlackView
from bot.platforms.slack.workspace import Workspace

log = structlog.get_logger()

SlackExchange = Exchange[Any, Any]
"""Its question is a message, or a wish to catch up."""


class Answers:
    """Opens the exchanges, and finds them again."""

    def __init__(self, core: Core, background: Background) -> None:
        self.conversations = Conversations()
        self.exchanges: Exchanges[SlackExchange] = Exchanges(core)
        api_url = core.config().slack.api_url
        self._attachments = Attachments(Downloader(FILE_HOSTS, api_url))
        self._reader = Reader(self._attachments)
        self._catch_ups = CatchUps(core, self.exchanges, self._reader, background)
        self._core = core
        self._background = background
        self._pace = Pace()

    def open(
        self,
        workspace: Workspace,
        channel: str,
        question: Payload,
        here: InEffect,
        messages: Sequence[str] = (),
    ) -> SlackExchange:
        """The exchange about `question`, whose answer is or will be in `messages`."""
        look = Look(here.texts, channel, thread_of(question), question["user"], question["ts"])
        view = SlackView(look, workspace, self._pace, self.conversations.threads, messages)
        read_question = partial(self._read_question, workspace, channel)
        exchange = Exchange(
            question,
            question_key(workspace, channel, question["ts"]),
            question["user"],
            here.place,
            read_question,
            view,
            self._core,
        )
        self.exchanges.add(exchange)
        return exchange

    async def find(
        self, workspace: Workspace, channel: str, button: ButtonValue, last: str
    ) -> SlackExchange | None:
        """The exchange that a button belongs to; `last` is the answer's last message.

        None where the question is gone or can't be read. Raises StorageError.
        """
        if known := self.exchanges.to(key_of(channel, button.question)):
            return known
        question = await message_at(workspace, channel, button.thread, button.question)
        if question is None:
            return None
        here = await self._core.read(place_of(workspace.team, channel, thread_of(question)))
        return self.open(workspace, channel, question, here, [*button.earlier, last])

    def conversation(
        self, requester: Requester, thread: str | None
    ) -> ChannelConversation[SlackExchange]:
        """What a command of `requester` acts on; `thread` is where it belongs."""
        workspace, channel = requester.workspace, requester.channel
        return ChannelConversation(
            self._core,
            place_of(workspace.team, channel, thread),
            requester.before,
            latest=partial(self._latest_of, workspace, channel, thread, requester.person),
            starter=partial(_starter, workspace, channel, thread),
            catch_up=partial(self._catch_ups.begin, requester),
            fetch=partial(self._fetch, workspace, requester.message or {}),
            background=self._background,
        )

    async def _fetch(self, workspace: Workspace, message: Payload) -> tuple[str, bytes] | None:
        """The first file of a message. Raises NotFetched."""
        files = await files_of(message, workspace)
        return await self._attachments.first(files, FILE_BYTES, credentials(workspace))

    async def _latest_of(
        self, workspace: Workspace, channel: str, thread: str | None, person: str
    ) -> SlackExchange | None:
        """The exchange with the person's newest answer in the channel or thread."""
        for exchange in self.exchanges.at(place_of(workspace.team, channel, thread)):
            if exchange.asker == person:
                return exchange
        if thread is None:
            return None
        found = await self.conversations.threads.latest_of(workspace, channel, thread, person)
        return None if found is None else await self.find(workspace, channel, *found)

    async def _read_question(
        self, workspace: Workspace, channel: str, question: Payload, here: InEffect
    ) -> Question:
        most = await reading_limits(self._core, here)
        since = here.conversation_start
        before = await self.conversations.before(workspace, channel, question, most, since)
        earlier = [m for m in before.history if m["ts"] > since]
        above = [m for m in before.above if m["ts"] > since]
        messages = await self._reader.read(question, earlier, workspace, here)
        standing_above = await self._reader.read_above(above, workspace)
        asked = question_of(messages, standing_above, here, [*map(here.texts, before.problems)])
        return replace(asked, search=search_of(question, workspace))


async def _starter(workspace: Workspace, channel: str, thread: str | None) -> str | None:
    """Who wrote the message that a thread begins with."""
    root = None if thread is None else await message_at(workspace, channel, thread, thread)
    return None if root is None else str(root["user"])
