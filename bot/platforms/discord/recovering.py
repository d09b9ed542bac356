"""What an earlier run left on Discord: answers that it began, and questions that it only took."""

from __future__ import annotations  # some of discord.py's types exist only for checkers

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import discord

from bot.conversation.core import Core
from bot.conversation.events import Place, Question
from bot.conversation.in_effect import InEffect
from bot.platforms.discord.answers import SEARCHED, Answers, DiscordExchange, send_after
from bot.platforms.discord.layout import Look
from bot.platforms.discord.sending import Pace
from bot.platforms.discord.view import DiscordView
from bot.platforms.exchange import Exchange
from bot.platforms.recovery import CutOffAnswer, CutOffState
from bot.storage import RunningAnswer, TakenQuestion


class DiscordRecovery:
    """See recovery.Recovery. `hear` takes a message."""

    def __init__(
        self,
        core: Core,
        client: discord.Client,
        answers: Answers,
        pace: Pace,
        hear: Callable[[discord.Message], Awaitable[None]],
    ) -> None:
        self._core = core
        self._client = client
        self._answers = answers
        self._pace = pace
        self._hear = hear

    def is_mine(self, server: str) -> bool:
        """Whether this process's shards have the server; the first has what is private."""
        if server.startswith("dm-"):
            return 0 in getattr(self._client, "shards", {0: None})
        return self._client.get_guild(int(server)) is not None

    async def hear_again(self, taken: TakenQuestion) -> None:
        """See recovery.Recovery."""
        number = int(taken.message)
        channel = await self._channel(taken.thread or taken.channel)
        asked_in = _asked_in(channel, number)
        with suppress(discord.NotFound, discord.Forbidden):
            if asked_in is not None:
                await self._hear(await self._pace.retried(asked_in.fetch_message, number))

    async def find_cut_off(self, running: RunningAnswer) -> CutOffAnswer | None:
        """See recovery.Recovery. Raises StorageError, discord.HTTPException."""
        if known := self._answers.exchanges.to(running.question):
            return CutOffAnswer(known)
        number = int(running.question)
        channel = await self._channel(running.thread or running.channel)
        asked_in = _asked_in(channel, number)
        if channel is None or asked_in is None:
            return None
        recorded = [_message_in(channel, id) for id in running.messages]
        try:
            question = await self._pace.retried(asked_in.fetch_message, number)
        except discord.Forbidden:
            state = CutOffState.UNREADABLE
        except discord.NotFound:  # or it was no message, but asked about one in a form
            asked = [m for m in recorded[:1] if await self._pace.retried(_is_of_interaction, m)]
            state = CutOffState.UNREADABLE if asked else CutOffState.DELETED
        else:
            shown = await self._shown(channel, number, recorded)
            here = await self._core.read(await self._answers.threads.place_of_answer(question))
            return CutOffAnswer(await self._answers.open(question, here, shown, int(running.asker)))
        return CutOffAnswer(await self._without_question(running, channel, recorded), state)

    async def _channel(self, id: str) -> discord.abc.MessageableChannel | None:
        """The channel or thread, where Discord lets the bot know of it."""
        found = self._client.get_channel(int(id))
        with suppress(discord.NotFound, discord.Forbidden):
            found = found or await self._pace.retried(self._client.fetch_channel, int(id))
        return found if isinstance(found, discord.abc.Messageable) else None

    async def _shown(
        self,
        channel: discord.abc.MessageableChannel,
        question: int,
        recorded: Sequence[discord.PartialMessage],
    ) -> list[discord.Message]:
        """The messages of an answer: each replies to the one before, the first to the question."""
        found: dict[int, discord.Message] = {}
        known, after = {message.id for message in recorded}, discord.Object(question)
        with suppress(discord.Forbidden):
            async for message in channel.history(limit=SEARCHED, after=after):
                before = message.reference.message_id if message.reference else None
                belongs = message.id in known or before in (question, *found)
                if message.author == self._client.user and belongs:
                    found[message.id] = message
        return list(found.values())

    async def _without_question(
        self,
        running: RunningAnswer,
        channel: discord.abc.MessageableChannel,
        recorded: Sequence[discord.PartialMessage],
    ) -> DiscordExchange:
        """The exchange about a question that can't be read, to say so or to take it away."""
        place = Place(running.platform, running.server, running.channel, running.thread)
        here, asker = await self._core.read(place), int(running.asker)
        question = _message_in(channel, running.question)
        name = getattr(channel, "name", "") or ""
        look = Look(here.texts, asker, question.id, name)
        person = await self._pace.retried(self._client.fetch_user, asker)
        view = DiscordView(
            look,
            send_after(question, None, reply=True),
            self._pace.whisper_to(person),
            self._pace,
            self._answers.written,
            recorded,
        )
        key = self._answers.key_of(question.id)
        return Exchange(question, key, running.asker, place, _unreadable, view, self._core)


def _asked_in(
    channel: discord.abc.MessageableChannel | None, question: int
) -> discord.abc.MessageableChannel | None:
    """Where a question stands that is answered in `channel`, maybe in its own thread."""
    if isinstance(channel, discord.Thread) and channel.id == question:
        parent = channel.parent
        return parent if isinstance(parent, discord.TextChannel) else channel
    return channel


def _message_in(channel: discord.abc.MessageableChannel, id: str) -> discord.PartialMessage:
    assert not isinstance(channel, discord.GroupChannel)  # bots are in none
    return channel.get_partial_message(int(id))


async def _is_of_interaction(message: discord.PartialMessage) -> bool:
    try:
        return (await message.fetch()).interaction_metadata is not None
    except (discord.NotFound, discord.Forbidden):
        return False


async def _unreadable(question: discord.PartialMessage, here: InEffect) -> Question:
    raise LookupError(f"the question {question.id} can't be read")
