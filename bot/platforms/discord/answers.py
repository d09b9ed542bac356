"""The answers that the bot gives to messages: where each goes, and how it is found again."""

from __future__ import annotations  # some of discord.py's types exist only for checkers

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import discord
import structlog

from bot.conversation.core import Core
from bot.conversation.events import Place, Question, QuestionKey
from bot.conversation.importing import FILE_BYTES
from bot.conversation.in_effect import InEffect
from bot.platforms.attachments import Attachments
from bot.platforms.background import Background
from bot.platforms.discord.buttons import ButtonId, buttons_of
from bot.platforms.discord.catching_up import CatchUps, Requester
from bot.platforms.discord.copies import Copies
from bot.platforms.discord.history import read_before
from bot.platforms.discord.layout import Look
from bot.platforms.discord.limits import EDITABLE_SECONDS, FILE_HOSTS
from bot.platforms.discord.messages import Channel, place_of, replied_to
from bot.platforms.discord.permissions import missing_to_answer
from bot.platforms.discord.reader import Reader
from bot.platforms.discord.searching import search_of
from bot.platforms.discord.sending import Pace, said_in_reply
from bot.platforms.discord.threads import Threads, starter, wants_thread
from bot.platforms.discord.view import DiscordView, Send, SentMessage
from bot.platforms.download import Downloader
from bot.platforms.exchange import Exchange
from bot.platforms.exchanges import ChannelConversation, Exchanges
from bot.platforms.questions import question_of
from bot.platforms.reading_limits import reading_limits
from bot.platforms.written import WrittenAnswers

log = structlog.get_logger()

SEARCHED = 50
"""Messages that are looked through for an answer to make again."""

DiscordExchange = Exchange[Any, DiscordView]
"""The question is a message, or the text of a question about one."""


@dataclass(frozen=True)
class Capabilities:
    """What may be done in a channel; `notices` tell of what may not, once for each channel."""

    thread: bool
    replies: bool
    embeds: bool
    files: bool
    notices: list[str]


class Answers:
    """Opens the exchanges, and finds them again."""

    def __init__(
        self, core: Core, client: discord.Client, pace: Pace, background: Background
    ) -> None:
        self.exchanges: Exchanges[DiscordExchange] = Exchanges(core)
        api_url = core.config().discord.api_url
        self.written = WrittenAnswers()
        self._attachments = Attachments(Downloader(FILE_HOSTS, api_url))
        self.reader = Reader(self._attachments, self.written)
        self.catch_ups = CatchUps(
            core, client, pace, self.exchanges, self.reader, self.written, background
        )
        self._core = core
        self._client = client
        self._pace = pace
        self._background = background
        self.copies = Copies()
        self.threads = Threads(core, client, pace)
        self._reported: set[tuple[str, str]] = set()
        """Channels in which a missing permission was told of, and which."""

    async def open(
        self,
        question: discord.Message,
        here: InEffect,
        messages: Sequence[discord.Message | discord.PartialMessage] = (),
        asker: int | None = None,
    ) -> DiscordExchange:
        """The exchange about `question`, whose answer is or will be in `messages`.

        asker: the id of who asked, where that is known to be another than who wrote the question.
        Opens a thread for the answer where that is set. Raises discord.HTTPException.
        """
        guild, place = question.guild, here.place
        in_thread = wants_thread(question, here.settings)
        allowed = self._allowed(question.channel, here, in_thread)
        thread = None
        if guild is not None and in_thread and allowed.thread:
            thread = await self.threads.open_for(question)
            place = place_of(thread, guild.id) if thread else place
        elif isinstance(question.channel, discord.Thread):
            await self.threads.join(question.channel)
        asker = asker or self.copies.asker_of(question).id
        above = here.config.discord.file_above_characters
        channel = thread or question.channel
        look = Look(
            here.texts,
            asker,
            question.id,
            getattr(channel, "name", "") or "",
            embeds=allowed.embeds and here.settings.show_reasoning.value,
            file_above=above if allowed.files else None,
        )
        send = send_after(question, thread, reply=allowed.replies)
        whisper = self._pace.whisper_to(self.copies.asker_of(question))
        view = DiscordView(look, send, whisper, self._pace, self.written, messages)
        exchange = Exchange(
            question,
            self.key_of(question.id),
            str(asker),
            place,
            self._reader(allowed.notices),
            view,
            self._core,
        )
        self.exchanges.add(exchange)
        return exchange

    async def find(self, button: ButtonId, last: discord.Message | None) -> DiscordExchange | None:
        """The exchange that a button belongs to; `last` is the answer's last message.

        None where the question is gone. Raises StorageError, discord.HTTPException.
        """
        if known := self.exchanges.to(str(button.question)):
            return known
        if last is None:
            return None
        channel = last.channel
        opened_from_it = isinstance(channel, discord.Thread) and channel.id == button.question
        parent = getattr(channel, "parent", None) if opened_from_it else None
        try:
            question = await (parent or channel).fetch_message(button.question)
        except (discord.NotFound, discord.Forbidden):
            return None
        messages = [last]
        while (before := await replied_to(messages[0])) and before.author == self._client.user:
            messages.insert(0, before)
        age = (discord.utils.utcnow() - messages[0].created_at).total_seconds()
        here = await self._core.read(await self.threads.place_of_answer(question))
        shown = messages if age < EDITABLE_SECONDS else ()
        return await self.open(question, here, shown, button.asker)

    def conversation(
        self, requester: Requester, place: Place
    ) -> ChannelConversation[DiscordExchange]:
        """What a command of `requester` acts on."""
        return ChannelConversation(
            self._core,
            place,
            str(requester.before),
            latest=partial(self._latest_of, requester.person.id, requester.channel),
            starter=partial(starter, requester.channel),
            catch_up=partial(self.catch_ups.begin, requester),
            fetch=partial(self._attachments.first, requester.files, FILE_BYTES),
            background=self._background,
        )

    def key_of(self, question: int) -> QuestionKey:
        assert self._client.user is not None
        return QuestionKey(str(self._client.user.id), str(question))

    async def _latest_of(self, person: int, channel: Channel) -> DiscordExchange | None:
        """The exchange with the person's newest answer in the channel. Raises as `find` does."""
        if not isinstance(channel, discord.abc.Messageable):
            return None
        async for message in channel.history(limit=SEARCHED):
            if message.author == self._client.user:
                for button in buttons_of(message):
                    if button.asker == person:
                        return await self.find(button, message)
        return None

    def _allowed(
        self, channel: discord.abc.MessageableChannel, here: InEffect, in_thread: bool
    ) -> Capabilities:
        missing = missing_to_answer(
            channel,
            thread=in_thread,
            reasoning=here.settings.show_reasoning.value,
            file=here.config.discord.file_above_characters is not None,
        )
        key = here.place.channel
        new = [one for one in missing if (key, one.permission) not in self._reported]
        self._reported |= {(key, one.permission) for one in new}
        effects = {one.effect for one in missing}
        return Capabilities(
            thread="thread" not in effects,
            replies="history" not in effects,
            embeds="embed" not in effects,
            files="file" not in effects,
            notices=[one.line(here.texts) for one in new],
        )

    def _reader(
        self, notices: list[str]
    ) -> Callable[[discord.Message, InEffect], Awaitable[Question]]:
        """Reads a question and its conversation; `notices` go with it."""

        async def read_question(question: discord.Message, here: InEffect) -> Question:
            me = self._client.user
            assert me is not None
            since = int(here.conversation_start)
            with suppress(discord.HTTPException):  # only for show
                await question.channel.typing()
            most = await reading_limits(self._core, here)
            asker = self.copies.asker_of(question)
            before = await read_before(question, asker, most, self._pace)
            earlier = [m for m in before.history if m.id > since]
            above = [m for m in before.above if m.id > since]
            messages = await self.reader.read(question, earlier, me, here)
            problem = [here.texts(before.problem)] if before.problem else []
            standing_above = self.reader.read_above(above, me)
            asked = question_of(messages, standing_above, here, [*notices, *problem])
            return replace(asked, search=search_of(question, self._client))

        return read_question


def send_after(
    question: discord.Message | discord.PartialMessage,
    thread: discord.Thread | None,
    *,
    reply: bool,
) -> Send:
    """`reply`: whether messages may refer to others, which takes the right to read them."""

    async def send(after: SentMessage | None, content: str, **options: Any) -> discord.Message:
        # Each part replies to the one before, so that the chain of replies has the whole answer.
        channel = thread or question.channel
        if not reply or (after is None and thread is not None):
            return await channel.send(content, **options)
        return await said_in_reply(after or question, channel, content, **options)

    return send
