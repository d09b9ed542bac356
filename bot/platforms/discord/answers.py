"""The answers that the bot gives to messages: where each goes, and how it is found again."""

from __future__ import annotations  # some of discord.py's types exist for checkers alone

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import discord

from bot.config import AnswerMode, Effort
from bot.conversation.core import Core
from bot.conversation.events import Place, Question
from bot.conversation.settings import resolve
from bot.conversation.texts import Texts
from bot.platforms.conversation import forgotten_until
from bot.platforms.discord.buttons import Pressed, pressed_under
from bot.platforms.discord.limits import EDITABLE_SECONDS, THREAD_NAME_LENGTH
from bot.platforms.discord.messages import (
    Channel,
    history_of,
    place_of,
    plain_text,
    read,
    replied_to,
)
from bot.platforms.discord.permissions import lacks
from bot.platforms.discord.sending import Pace
from bot.platforms.discord.view import DiscordView, Look, Send, Shown
from bot.platforms.exchange import Asked, Exchange

REMEMBERED = 2000
"""Questions that are deduplicated, and whose edits and deletions are followed."""
SEARCHED = 50
"""Messages that are looked through for an answer to make again."""

DiscordExchange = Exchange[Any, DiscordView]
"""The question is a message, or the text of a question about one."""


@dataclass(frozen=True)
class Allowed:
    """What may be done in a channel; `notices` tell of what may not, once for each channel."""

    thread: bool
    replies: bool
    embeds: bool
    files: bool
    notices: list[str]


class Answers:
    """The exchanges of this run, by the id of the question or interaction."""

    def __init__(self, core: Core, client: discord.Client, pace: Pace) -> None:
        self._core = core
        self._client = client
        self._pace = pace
        self._exchanges: OrderedDict[int, DiscordExchange | None] = OrderedDict()
        """None where a message was heard and no more."""
        self._joined: set[int] = set()
        """Threads; Discord's own word of it comes later, or not at all."""
        self._told: set[tuple[str, str]] = set()
        """Channels in which a missing permission was told of, and which."""

    def heard(self, message: int) -> bool:
        """Whether this is not the first time; Discord delivers some messages twice."""
        known = message in self._exchanges
        if not known:
            self.remember(message, None)
        return known

    def remember(self, question: int, exchange: DiscordExchange | None) -> None:
        self._exchanges[question] = exchange
        while len(self._exchanges) > REMEMBERED:
            self._exchanges.popitem(last=False)

    def to(self, question: int) -> DiscordExchange | None:
        """The exchange about a question of this run."""
        return self._exchanges.get(question)

    def showing(self, message: int) -> DiscordExchange | None:
        """The exchange of this run that has `message` in its answer."""
        for exchange in self._exchanges.values():
            if exchange and any(m.id == message for m in exchange.view.messages):
                return exchange
        return None

    def is_member_of(self, thread: discord.Thread) -> bool:
        """Whether the bot opened or joined the thread."""
        opened = self._client.user is not None and thread.owner_id == self._client.user.id
        return opened or thread.me is not None or thread.id in self._joined

    async def open(
        self, question: discord.Message, messages: list[discord.Message] | None = None
    ) -> DiscordExchange:
        """The exchange about `question`, whose answer is or will be in `messages`.

        Opens a thread for the answer where that is set. Raises StorageError,
        discord.HTTPException.
        """
        guild = question.guild
        place = place_of(question.channel, guild.id if guild else None)
        mode = resolve(self._core.config(), place, {}).answer.value
        in_text_channel = isinstance(question.channel, discord.TextChannel)
        wants_thread = mode is AnswerMode.THREAD and in_text_channel
        texts = await self._core.texts(place)
        allowed = await self._allowed(question.channel, place, texts, wants_thread)
        thread = None
        if guild is not None and wants_thread and allowed.thread:
            thread = question.thread or guild.get_thread(question.id)
            thread = thread or await self._open_thread(question)
            place = place_of(thread, guild.id)
        above = self._core.config().discord.file_above_characters
        look = Look(
            texts,
            question.author.id,
            question.id,
            embeds=allowed.embeds,
            file_above=above if allowed.files else None,
        )
        if thread is None and isinstance(question.channel, discord.Thread):
            await self._join(question.channel)
        send = _send_after(question, thread, reply=allowed.replies)
        view = DiscordView(look, send, self._pace, messages or [])
        ask = self._ask(place, allowed.notices)
        exchange = Exchange(question, ask, view, self._core.responder)
        self.remember(question.id, exchange)
        return exchange

    async def found(self, pressed: Pressed, last: discord.Message | None) -> DiscordExchange | None:
        """The exchange that a button belongs to; `last` is the answer's last message.

        None where the question is gone. Raises as `open` does.
        """
        if known := self._exchanges.get(pressed.question):
            return known
        if last is None:
            return None
        channel = last.channel
        opened_from_it = isinstance(channel, discord.Thread) and channel.id == pressed.question
        parent = getattr(channel, "parent", None) if opened_from_it else None
        try:
            question = await (parent or channel).fetch_message(pressed.question)
        except (discord.NotFound, discord.Forbidden):
            return None
        messages = [last]
        while (before := await replied_to(messages[0])) and before.author == self._client.user:
            messages.insert(0, before)
        age = (discord.utils.utcnow() - messages[0].created_at).total_seconds()
        return await self.open(question, messages if age < EDITABLE_SECONDS else [])

    async def latest_of(self, person: int, channel: Channel | None) -> DiscordExchange | None:
        """The exchange with the person's newest answer in the channel.

        Raises as `open` does.
        """
        if not isinstance(channel, discord.abc.Messageable):
            return None
        async for message in channel.history(limit=SEARCHED):
            if message.author == self._client.user:
                for pressed in pressed_under(message):
                    if pressed.asker == person:
                        return await self.found(pressed, message)
        return None

    async def _allowed(
        self,
        channel: discord.abc.MessageableChannel,
        place: Place,
        texts: Texts,
        wants_thread: bool,
    ) -> Allowed:
        settings = await self._core.settings(place)
        missing = lacks(
            channel,
            thread=wants_thread,
            reasoning=settings.show_reasoning.value,
            file=self._core.config().discord.file_above_characters is not None,
        )
        new = [lack for lack in missing if (place.channel, lack.permission) not in self._told]
        self._told |= {(place.channel, lack.permission) for lack in new}
        effects = {lack.effect for lack in missing}
        return Allowed(
            thread="thread" not in effects,
            replies="history" not in effects,
            embeds="embed" not in effects,
            files="file" not in effects,
            notices=[lack.line(texts) for lack in new],
        )

    async def _open_thread(self, question: discord.Message) -> discord.Thread:
        assert self._client.user is not None
        words = plain_text(question, self._client.user).split()
        name = (" ".join(words) or question.author.name)[:THREAD_NAME_LENGTH]
        return await self._pace.landed(lambda: question.create_thread(name=name))

    async def _join(self, thread: discord.Thread) -> None:
        """Become a member: of its threads the bot hears without being mentioned."""
        if not self.is_member_of(thread):
            with suppress(discord.HTTPException):  # an answer is possible all the same
                await thread.join()
                self._joined.add(thread.id)

    def _ask(
        self, place: Place, notices: list[str]
    ) -> Callable[[discord.Message, Effort | None], Awaitable[Asked]]:
        async def ask(question: discord.Message, effort: Effort | None) -> Asked:
            me = self._client.user
            assert me is not None
            limits = self._core.config().conversation
            texts = await self._core.texts(place)
            since = int(await forgotten_until(self._core.store, place))
            with suppress(discord.HTTPException):  # only for show
                await question.channel.typing()
            history = await self._pace.landed(lambda: history_of(question, limits.max_messages))
            newest = await read(question, me, limits.attachment_max_bytes, texts)
            earlier = [
                (await read(m, me, limits.attachment_max_bytes, texts)).message
                for m in history
                if m.id > since
            ]
            asked = Question(place, newest.message, earlier, effort)
            return Asked(asked, [*notices, *newest.notices])

        return ask


def _send_after(question: discord.Message, thread: discord.Thread | None, *, reply: bool) -> Send:
    """`reply`: whether messages may refer to others, which takes the right to read them."""

    async def send(after: Shown | None, content: str, **options: Any) -> discord.Message:
        # Each part replies to the one before, so that the chain of replies has the whole answer.
        if not reply or (after is None and thread is not None):
            return await (thread or question.channel).send(content, **options)
        before = after or question
        return await before.reply(content, **options)

    return send
