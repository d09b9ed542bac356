"""What was said in a channel of Discord, told to a person who may read it."""

from __future__ import annotations  # some of discord.py's types exist only for checkers

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

import discord

from bot.conversation.catching_up import CatchUp, TranscriptMessage, UnreadableChannel
from bot.conversation.commands import CommandError
from bot.conversation.core import Core
from bot.conversation.events import Author, Message, QuestionKey
from bot.conversation.gate import check_access
from bot.conversation.in_effect import InEffect
from bot.conversation.texts import Texts
from bot.platforms.attachments import File
from bot.platforms.background import Background
from bot.platforms.catching_up import read_back, show_summary
from bot.platforms.discord.channel_history import may_read, said_in
from bot.platforms.discord.history import started
from bot.platforms.discord.layout import Look
from bot.platforms.discord.messages import Channel, place_of, reads_history, rights_in
from bot.platforms.discord.reader import Reader
from bot.platforms.discord.sending import Pace
from bot.platforms.discord.view import DiscordView, Send
from bot.platforms.exchange import Exchange
from bot.platforms.exchanges import Exchanges
from bot.platforms.written import WrittenAnswers

JUMP = re.compile(
    r"<?https?://(?:\w+\.)?discord(?:app)?\.com/channels/[^\s<>()\[\]]*>?", re.IGNORECASE
)

PAGE = 100
"""Messages after which it is told how many there are."""
Readable: TypeAlias = "discord.guild.GuildChannel | discord.Thread | discord.DMChannel"


@dataclass(frozen=True)
class Requester:
    """Who gives a command, such as to catch up, and where.

    id: of the wish: an interaction's, or another number that no message has.
    before: the id of the message or interaction before which everything is read.
    send: shows the person, and nobody else, the summary's messages; None where nothing can.
    files: what came with it.
    """

    person: discord.abc.User
    channel: Channel
    guild: discord.Guild | None
    id: int
    before: int
    send: Send | None
    files: Sequence[File] = ()


class CatchUps:
    """Begins to tell people what was said."""

    def __init__(
        self,
        core: Core,
        client: discord.Client,
        pace: Pace,
        exchanges: Exchanges[Exchange[Any, DiscordView]],
        reader: Reader,
        written: WrittenAnswers,
        background: Background,
    ) -> None:
        self._core = core
        self._client = client
        self._pace = pace
        self._exchanges = exchanges
        self._reader = reader
        self._written = written
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
        me = self._client.user
        assert me is not None
        if requester.send is None:
            raise CommandError(here.texts("summary_in_private"))
        if requester.guild is not None and not self._client.intents.message_content:
            raise CommandError(here.texts("summary_hidden"))
        channel = await self._readable(requester, here.texts, given)
        if given:
            guild = requester.guild.id if requester.guild else None
            check_access(await self._core.read(place_of(channel, guild)), author)
        source = _ChannelReader(channel, requester, me, self._reader, here.texts)
        wish = CatchUp(
            Message(str(requester.id), author, ""),
            read=partial(read_back, source, author.id, since),
            jump=JUMP,
            when=lambda at: f"<t:{int(at.timestamp())}:f>",
            zone=here.zone_of(author),
        )

        heading = here.texts("summary_heading", channel=_named(channel))
        look = Look(here.texts, requester.person.id, requester.id, heading=heading, private=True)
        whisper = self._pace.whisper_to(requester.person)
        view = DiscordView(look, requester.send, whisper, self._pace, self._written)
        key = QuestionKey(str(me.id), str(requester.id))
        await show_summary(wish, key, here, view, self._core, self._exchanges, self._background)

    async def _readable(self, requester: Requester, texts: Texts, given: str) -> Readable:
        """The channel that was given, where person and bot may read it. Raises CommandError."""
        channel = _channel(requester.guild, given) if given else self._here(requester)
        mine = channel is not None and self._is_mine(channel, requester.guild)
        if channel and mine and await _may_read(channel, requester.person, requester.channel.id):
            return channel
        raise CommandError(texts("summary_unreadable", channel=given or _named(requester.channel)))

    def _is_mine(self, channel: Readable, guild: discord.Guild | None) -> bool:
        """Whether the bot may read the channel: Discord shows it an empty one where it may not."""
        return guild is None or reads_history(channel, guild.me)

    def _here(self, requester: Requester) -> Readable | None:
        """Where the wish was said, if the bot is there too."""
        channel = requester.channel
        if requester.guild is not None:
            return requester.guild.get_channel_or_thread(channel.id)
        mine = isinstance(channel, discord.DMChannel) and channel.me == self._client.user
        return channel if mine and isinstance(channel, discord.DMChannel) else None


def _channel(guild: discord.Guild | None, given: str) -> Readable | None:
    """A server's channel or thread by its id, mention or name."""
    name = given.strip("<#>")
    if guild is None:
        return None
    if name.isdecimal() and (found := guild.get_channel_or_thread(int(name))):
        return found
    everything: Sequence[Readable] = [*guild.channels, *guild.threads]
    return next((channel for channel in everything if str(channel) == name), None)


async def _may_read(channel: Readable, person: discord.abc.User, here: int) -> bool:
    """Whether the person may read what was said in the channel, now; `here`: where they are."""
    if not isinstance(channel, discord.Thread) or not channel.is_private():
        return may_read(channel, person)
    if not reads_history(channel, person):
        return False
    rights = rights_in(channel, person)
    if channel.id == here or (rights is not None and rights.manage_threads):
        return True
    try:
        await channel.fetch_member(person.id)
    except discord.HTTPException:
        return False
    return True


def _named(channel: Channel | Readable) -> str:
    return f"<#{channel.id}>"


class _ChannelReader:
    """See catching_up.ChannelReader."""

    def __init__(
        self,
        channel: Readable,
        requester: Requester,
        me: discord.ClientUser,
        reader: Reader,
        texts: Texts,
    ) -> None:
        self._channel = channel
        self._requester = requester
        self._me = me
        self._reader = reader
        self._texts = texts

    async def pages(self, since: datetime) -> AsyncIterator[Sequence[TranscriptMessage]]:
        channel = self._channel
        if not isinstance(channel, discord.abc.Messageable):
            if isinstance(channel, discord.ForumChannel):
                return  # it has only threads
            raise self._unreadable()
        try:
            async for page in self._back(channel, since):
                yield self._said(page)
        except (discord.Forbidden, discord.NotFound) as error:
            raise self._unreadable() from error

    async def threads(self, since: datetime) -> AsyncIterator[Sequence[TranscriptMessage]]:
        channel = self._channel
        if not isinstance(channel, discord.TextChannel | discord.ForumChannel):
            return
        for thread in await self._threads_of(channel, since):
            if not await _may_read(thread, self._requester.person, self._requester.channel.id):
                continue
            with suppress(discord.HTTPException):  # the bot may not read it, or it is gone
                async for page in self._back(thread, since):
                    yield self._said(page, thread.name)

    async def _threads_of(
        self, channel: discord.TextChannel | discord.ForumChannel, since: datetime
    ) -> list[discord.Thread]:
        """Those in which something was said since then, the newest first."""
        found = list(channel.threads)
        with suppress(discord.HTTPException):
            async for thread in channel.archived_threads(limit=PAGE):
                if thread.archive_timestamp < since:
                    break
                found.append(thread)
        first = discord.utils.time_snowflake(since)
        found = [thread for thread in found if (thread.last_message_id or first) >= first]
        return sorted(found, key=lambda thread: thread.last_message_id or 0, reverse=True)

    async def _back(
        self, channel: discord.abc.Messageable, since: datetime
    ) -> AsyncIterator[list[discord.Message]]:
        """Pages from the wish back to `since`, newest first. Raises discord.HTTPException."""
        page: list[discord.Message] = []
        async for message in said_in(channel, before=discord.Object(self._requester.before)):
            if message.created_at < since:
                break
            page.append(message)
            if len(page) == PAGE:
                yield page
                page = []
        yield page

    def _said(self, page: Sequence[discord.Message], thread: str = "") -> list[TranscriptMessage]:
        """Those messages of a page in which something was said."""
        read = self._reader.read_above([started(message) for message in page], self._me)
        return [
            TranscriptMessage(said, message.created_at, _link(message), thread)
            for message, said in zip(page, read, strict=True)
            if said.text or said.attachments
        ]

    def _unreadable(self) -> UnreadableChannel:
        return UnreadableChannel(self._texts("summary_unreadable", channel=_named(self._channel)))


def _link(message: discord.Message) -> str:
    """To the message, or to the one in the channel that it repeats at the start of a thread."""
    begins = message.type is discord.MessageType.thread_starter_message
    return message.reference.jump_url if begins and message.reference else message.jump_url
