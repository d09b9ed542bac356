"""A message to the bot on Discord, as `hearing` takes it."""

from __future__ import annotations  # some of discord.py's types exist only for checkers

from functools import partial
from typing import Any

import discord
import structlog

from bot.conversation.commands import Command, Conversation
from bot.conversation.events import Author, Place, QuestionKey
from bot.conversation.gate import Admission
from bot.platforms.background import Background
from bot.platforms.discord.answers import Answers
from bot.platforms.discord.catching_up import Requester
from bot.platforms.discord.limits import CONTENT_LENGTH
from bot.platforms.discord.messages import (
    OWN_MESSAGE,
    author_of,
    own_line,
    own_message,
    place_of,
    rights_in,
)
from bot.platforms.discord.reader import files_of
from bot.platforms.discord.sending import Pace, is_passing, said_in_reply
from bot.platforms.discord.view import SentMessage
from bot.platforms.discord.words import has_more_than_text, typed
from bot.platforms.markdown.splitting import split_markdown

log = structlog.get_logger()

WHISPER_SECONDS = 300.0
"""How long an answer to a typed command stays in a channel, where anybody can read it."""


class DiscordMessage:
    """See hearing.IncomingMessage."""

    def __init__(
        self,
        message: discord.Message,
        me: discord.ClientUser,
        answers: Answers,
        pace: Pace,
        background: Background,
        place: Place,
    ) -> None:
        self.place = place
        self._message = message
        self._me = me
        self._answers = answers
        self._pace = pace
        self._background = background

    @property
    def key(self) -> QuestionKey:
        return QuestionKey(str(self._me.id), str(self._message.id))

    @property
    def conversation(self) -> Conversation:
        message = self._message
        place = place_of(message.channel, message.guild.id if message.guild else None)
        send = self._reply if message.guild is None else None
        # The message's own id stands for the command; no other one has the next number.
        asker = self._answers.copies.asker_of(message)
        files = files_of(message, self._me)
        requester = Requester(
            asker, message.channel, message.guild, message.id + 1, message.id, send, files
        )
        return self._answers.conversation(requester, place)

    async def _reply(
        self, after: SentMessage | None, content: str, **options: Any
    ) -> discord.Message:
        return await self._message.channel.send(content, **options)

    async def author(self) -> Author:
        asker = self._answers.copies.asker_of(self._message)
        return author_of(asker, rights_in(self._message.channel, asker), self._me)

    async def text(self) -> str:
        return typed(self._message, self._me)

    def unanswerable(self, text: str) -> str | None:
        message = self._message
        more = has_more_than_text(message)
        if not (text or more or message.reference):
            return "empty_question"
        if not (message.content or more):
            return "content_hidden"
        return None

    async def say(self, line: str) -> None:
        for part in split_markdown(line, CONTENT_LENGTH // 2):
            await self._say(own_line(part.text))

    async def whisper(self, line: str) -> None:
        """Discord shows it to everybody in the channel: it makes no sound, and goes by itself."""
        options: dict[str, Any] = {"silent": True}
        if self._message.guild is not None:
            options["delete_after"] = WHISPER_SECONDS
        for part in split_markdown(line, CONTENT_LENGTH - len(OWN_MESSAGE)):
            await self._say(own_message(part.text), **options)

    async def _say(self, text: str, **options: Any) -> None:
        """Reply with lines of the bot's own, or tell them to the author where it can't."""
        message = self._message
        say = partial(said_in_reply, message, message.channel, text, **options)
        try:
            await self._pace.retried(say)
        except discord.HTTPException as error:
            if is_passing(error):
                raise
            log.warning("discord refused a line, only its author sees it", code=error.code)
            asker = self._answers.copies.asker_of(message)
            await self._pace.whisper_to(asker)(text)

    async def propose(self, label: str, command: Command) -> None:
        """None: anybody could press it here. The answer names the command."""

    async def answer(self, admission: Admission) -> None:
        exchange = await self._answers.open(self._message, admission.here)
        self._background.start(exchange.answer(admission))
