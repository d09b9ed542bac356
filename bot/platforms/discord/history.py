"""The conversation that a question on Discord continues, and what stands above it."""

from __future__ import annotations  # some of discord.py's types exist only for checkers

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import discord
import structlog

from bot.platforms.borders import from_border
from bot.platforms.discord.channel_history import may_read, said_in
from bot.platforms.discord.limits import HISTORY_SECONDS, PAGE
from bot.platforms.discord.messages import is_post, reply_of, resolved_reply
from bot.platforms.discord.sending import Pace
from bot.platforms.reading_limits import ReadingLimits
from bot.platforms.right_before import OWN_MESSAGES, right_before

log = structlog.get_logger()


@dataclass
class PriorMessages:
    """What was said before a question, oldest first.

    chain: what it replies to, or what its thread was opened from, with what that replies to.
    said: the thread, or the private conversation.
    above: what stands in the channel before the conversation begins.
    problem: the key of a text that says why some of it may be missing.
    """

    chain: list[discord.Message] = field(default_factory=list)
    said: Sequence[discord.Message] = ()
    above: Sequence[discord.Message] = ()
    problem: str = ""

    @property
    def history(self) -> list[discord.Message]:
        return [*self.chain, *self.said]


async def read_before(
    question: discord.Message, asker: discord.abc.User, most: ReadingLimits, pace: Pace
) -> PriorMessages:
    """The thread, the private conversation or the chain of replies, and what stands above.

    What is read when the time is over is all there is. What the asker may not read isn't in it.
    """
    before = PriorMessages()
    try:
        async with asyncio.timeout(HISTORY_SECONDS):
            await _read(question, asker, most, pace, before)
    except TimeoutError:
        log.warning("discord: what was said before was not read in time", seconds=HISTORY_SECONDS)
        before.problem = "history_late"
    except discord.HTTPException as error:
        log.warning("discord: what was said before can't be read", code=error.code)
        before.problem = "lacks_history"
    return before


async def _read(
    question: discord.Message,
    asker: discord.abc.User,
    most: ReadingLimits,
    pace: Pace,
    before: PriorMessages,
) -> None:
    """Fill `before`, the nearest first. Raises discord.HTTPException."""
    channel, first, surroundings = question.channel, question, OWN_MESSAGES + 2 * most.above
    if isinstance(channel, discord.Thread | discord.DMChannel):
        said = await pace.retried(_newest, channel, question, most)
        before.said = [*await _beginning_of_post(question, said), *map(started, said)]
        parent = channel.parent if isinstance(channel, discord.Thread) else None
        if not isinstance(parent, discord.TextChannel):
            return
        pages = _Pages(parent, pace)
        found = await pages.read(channel.id + 1, surroundings)
        if not found or found[0].id != channel.id:  # opened from no message, or that is gone
            if may_read(parent, asker):
                before.above = found[: most.above][::-1]
            return
        first = found[0]
        before.chain.append(first)
        before.said = [message for message in before.said if message.id != first.id]
    else:
        pages = _Pages(channel, pace)
        await pages.read(question.id, PAGE if reply_of(question) else surroundings)
    root = await _follow_replies(first, pages, most.messages, before.chain)
    earlier = pages.before(root)
    if len(earlier) < OWN_MESSAGES + most.above and root is not first:
        earlier = await pages.read(root.id, surroundings)
    turns = [*before.chain, question] if first is question else before.chain
    readable = may_read(pages.channel, asker)
    known_authors = [turn.author for turn in turns] if readable else [asker]
    with_own = _with_own_words(turns, pages, known_authors)
    before.chain = [message for message in with_own if message is not question]
    if readable:
        within = {message.id for message in with_own}
        before.above = [m for m in earlier if m.id not in within][: most.above][::-1]


async def _newest(
    channel: discord.abc.Messageable, before: discord.Message, most: ReadingLimits
) -> list[discord.Message]:
    """Messages of a thread or a private conversation, oldest first: what a prompt may hold."""
    found: list[discord.Message] = []
    characters = 0
    try:
        async for message in said_in(channel, before=before, limit=most.messages):
            found.insert(0, message)
            characters += len(message.content)
            if characters > most.characters:
                break
    except (discord.Forbidden, discord.NotFound):  # the question can be answered without it
        return []
    if len(found) < most.messages and characters <= most.characters:
        return found
    return from_border(found, lambda message: message.id >> 22)


class _Pages:
    """What was read of a channel: pages without a gap, each newest first."""

    def __init__(self, channel: discord.abc.Messageable, pace: Pace) -> None:
        self.channel = channel
        self._pace = pace
        self._pages: list[tuple[int, list[discord.Message]]] = []
        """With the id that each was read before."""

    async def read(self, before: int, limit: int) -> list[discord.Message]:
        """What was said before the id; nothing where the bot may not read it."""
        page = await self._pace.retried(self._read, before, min(limit, PAGE))
        self._pages.append((before, page))
        return page

    async def _read(self, before: int, limit: int) -> list[discord.Message]:
        at = discord.Object(before)
        try:
            found = [message async for message in said_in(self.channel, before=at, limit=limit)]
        except (discord.Forbidden, discord.NotFound):
            return []
        return [message for message in found if message.id < before]

    def before(self, message: discord.Message) -> list[discord.Message]:
        """The messages right before it, newest first, as far as they were read."""
        for before, page in self._pages:
            if page and before >= message.id > page[-1].id:
                return [earlier for earlier in page if earlier.id < message.id]
        return []

    async def replied_to(self, message: discord.Message) -> discord.Message | None:
        """What it replies to, which stands in the same channel; None where that is gone."""
        id = reply_of(message)
        if id is None:
            return None
        for _, page in self._pages:
            for known in page:
                if known.id == id:
                    return known
        if (sent_along := resolved_reply(message)) is not None:
            return sent_along
        page = await self.read(id + 1, PAGE)  # with it what it replies to itself, as a rule
        return page[0] if page and page[0].id == id else None


async def _follow_replies(
    message: discord.Message, pages: _Pages, most: int, chain: list[discord.Message]
) -> discord.Message:
    """Put what it replies to before `chain`, and so on; the message that all began with.

    The chain ends where a message was deleted or can't be read.
    """
    for _ in range(most):
        earlier = await pages.replied_to(message)
        if earlier is None:
            break
        chain.insert(0, earlier)
        message = earlier
    return message


def _with_own_words(
    turns: Sequence[discord.Message], pages: _Pages, authors: Sequence[discord.abc.User]
) -> list[discord.Message]:
    """The turns, those of `authors` after what they had said right before, nobody in between."""
    taken = {turn.id for turn in turns}
    found: list[discord.Message] = []
    for turn in turns:

        def is_own(message: discord.Message, turn: discord.Message = turn) -> bool:
            return message.author == turn.author and message.id not in taken and not _asks(message)

        if not turn.author.bot and turn.author in authors:
            earlier = pages.before(turn)
            found += right_before(turn.created_at, earlier, is_own, lambda m: m.created_at)
        found.append(turn)
    return found


def _asks(message: discord.Message) -> bool:
    """Whether it was a question to the bot, which has an answer of its own."""
    return message.guild is not None and message.guild.me in message.mentions


async def _beginning_of_post(
    message: discord.Message, found: Sequence[discord.Message]
) -> list[discord.Message]:
    """A forum post's first message, where the history that was read doesn't reach it."""
    thread = message.channel
    if not is_post(thread) or thread.id in (message.id, *(m.id for m in found)):
        return []
    try:
        return [await thread.fetch_message(thread.id)]
    except discord.HTTPException:  # it was deleted, say
        return []


def started(message: discord.Message) -> discord.Message:
    """A thread begins with a message that only points at the one it was opened from."""
    reference = message.reference
    if message.type is discord.MessageType.thread_starter_message and reference:
        resolved = reference.resolved or reference.cached_message
        if isinstance(resolved, discord.Message):
            return resolved
    return message
