"""Threads on Discord: those that the bot takes part in, and those that it opens for answers."""

from __future__ import annotations  # some of discord.py's types exist only for checkers

from contextlib import suppress

import discord
import structlog

from bot.config import AnswerMode
from bot.conversation.core import Core
from bot.conversation.events import Place
from bot.conversation.settings import Settings
from bot.platforms.discord.limits import THREAD_NAME_LENGTH
from bot.platforms.discord.messages import Channel, place_of
from bot.platforms.discord.sending import Pace
from bot.platforms.discord.words import typed
from bot.platforms.joined import JoinedThreads

log = structlog.get_logger()

HAS_THREAD = 160004
"""Of a message that has a thread already:
https://docs.discord.com/developers/topics/opcodes-and-status-codes#json"""


class Threads:
    """The bot's part in threads."""

    def __init__(self, core: Core, client: discord.Client, pace: Pace) -> None:
        self._core = core
        self._client = client
        self._pace = pace
        self._joined = JoinedThreads(core.store)

    async def takes_part_in(self, thread: discord.Thread, message: discord.Message) -> bool:
        """Whether the bot was in the thread, or was turned to in it, before the message."""
        if thread.me is not None:
            return True
        since = await self._joined.since(place_of(thread, thread.guild.id))
        return since is not None and int(since) < message.id

    def turned_to(self, thread: discord.Thread, message: discord.Message) -> None:
        """Somebody turned to the bot in the thread: it takes part from now on."""
        self._joined.turned_to(place_of(thread, thread.guild.id), str(message.id))

    async def removed_from(self, thread: discord.Thread) -> None:
        """Somebody removed the bot from the thread."""
        thread.me = None
        await self._joined.leave(place_of(thread, thread.guild.id))

    async def place_of_answer(self, question: discord.Message) -> Place:
        """Where a question is answered: in its thread, where it has one and that is set."""
        guild = question.guild
        place = place_of(question.channel, guild.id if guild else None)
        thread = self._of(question)
        if guild is None or thread is None:
            return place
        settings = await self._core.settings(place)
        return place_of(thread, guild.id) if wants_thread(question, settings) else place

    async def open_for(self, question: discord.Message) -> discord.Thread | None:
        """The thread of the question, which is opened if there is none; None if Discord refuses.

        The answer then stands in the channel.
        """
        thread = self._of(question) or await self._open(question)
        if thread is not None:
            await self._joined.open(place_of(thread, thread.guild.id), str(question.id))
        return thread

    async def delete_for(self, question: discord.Message) -> None:
        """Delete the thread that was opened for the answer, where the bot may."""
        if thread := self._of(question):
            with suppress(discord.HTTPException):
                await thread.delete()

    async def join(self, thread: discord.Thread) -> None:
        """Become a member, so that people see the bot among the thread's."""
        if thread.me is None:
            with suppress(discord.HTTPException):  # an answer is possible all the same
                await thread.join()

    def _of(self, question: discord.Message) -> discord.Thread | None:
        """The thread that was opened from the question."""
        known = question.guild.get_thread(question.id) if question.guild else None
        return question.thread or known

    async def _open(self, question: discord.Message) -> discord.Thread | None:
        """A new thread of the question, or the one that the bot did not know of."""
        assert self._client.user is not None
        said = typed(question, self._client.user).split()
        name = (" ".join(said) or question.author.name)[:THREAD_NAME_LENGTH]
        try:
            return await self._pace.retried(question.create_thread, name=name)
        except discord.HTTPException as error:
            log.warning("discord refused a thread", code=error.code, status=error.status)
            if error.code != HAS_THREAD:
                return None
        with suppress(discord.HTTPException):  # then it can't be read, and not be answered in
            found = await self._client.fetch_channel(question.id)
            return found if isinstance(found, discord.Thread) else None
        return None


def wants_thread(question: discord.Message, settings: Settings) -> bool:
    """Whether the question is to be answered in a thread of its own."""
    opens_threads = settings.answer.value is AnswerMode.THREAD
    return opens_threads and isinstance(question.channel, discord.TextChannel)


async def starter(channel: Channel) -> str | None:
    """Who began a thread: who opened it, or whose message the bot opened it from."""
    if not isinstance(channel, discord.Thread):
        return None
    started = channel.starter_message
    if started is None and isinstance(channel.parent, discord.TextChannel):
        with suppress(discord.HTTPException):  # it may be gone
            started = await channel.parent.fetch_message(channel.id)
    return str(started.author.id if started else channel.owner_id)
