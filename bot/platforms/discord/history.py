"""The conversation that a question on Discord goes on with, and what stands above it."""

from __future__ import annotations  # some of discord.py's types exist only for checkers

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import discord
import structlog

from bot.platforms.borders import from_border
from bot.platforms.discord.channel_history import may_read, said_in
from bot.platforms.discord.limits import HISTORY_SECONDS, PAGE
from bot.platforms.discord.messages import is_post
from bot.platforms.discord.sending import Pace
from bot.platforms.reading_limits import ReadingLimits
from bot.platforms.right_before import OWN_MESSAGES, right_before

log = structlog.get_logger()


@dataclass
class Before:
    """What was said before a question, oldest first.

    above: what stands in the channel before the conversation begins.
    problem: the key of a text that says why some of it may be missing.
    """

    history: Sequence[discord.Message] = ()
    above: Sequence[discord.Message] = ()
    problem: str = ""


async def read_before(
    question: discord.Message, asker: discord.abc.User, most: ReadingLimits, pace: Pace
) -> Before:
    """The thread, the private conversation or the chain of replies, and what stands above.

    What is read when the time is over is all there is. What the asker may not read isn't in it.
    """
    before = Before()
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
    before: Before,
) -> None:
    """Fill `before`, the nearest first. Raises discord.HTTPException."""
    channel, first = question.channel, question
    if isinstance(channel, discord.Thread | discord.DMChannel):
        said = await pace.retried(_newest, channel, question, most)
        before.history = [*await _beginning_of_post(question, said), *map(started, said)]
        parent = channel.parent if isinstance(channel, discord.Thread) else None
        if not isinstance(channel, discord.Thread) or not isinstance(parent, discord.TextChannel):
            return
        page = await pace.retried(_page, parent, discord.Object(channel.id + 1), PAGE)
        if not page or page[0].id != channel.id:  # opened from no message, or that is gone
            if may_read(parent, asker):
                before.above = _newest_of(page, most.above)
            return
        first, channel = page.pop(0), parent
        before.history = [first, *(m for m in said if started(m).id != first.id)]
    else:
        many = PAGE if _reply_of(question) else min(PAGE, OWN_MESSAGES + 2 * most.above)
        page = await pace.retried(_page, channel, question, many)
    chain = await _chain(first, page, most.messages, pace)
    root = chain[0] if chain else first
    before.history = [*chain, *before.history]
    earlier = [message for message in page if message.id < root.id]
    if len(earlier) < OWN_MESSAGES + most.above and root is not first:
        earlier = await pace.retried(_page, channel, root, OWN_MESSAGES + 2 * most.above)
    own = _own(root, earlier)
    before.history = [*own, *before.history]
    if may_read(channel, asker):
        before.above = _newest_of(earlier[len(own) :], most.above)


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


async def _page(
    channel: discord.abc.Messageable, before: discord.abc.Snowflake, limit: int
) -> list[discord.Message]:
    """What was said before, newest first; nothing where the bot may not read it."""
    try:
        found = [message async for message in said_in(channel, before=before, limit=limit)]
    except (discord.Forbidden, discord.NotFound):
        return []
    return [message for message in found if message.id < before.id]


async def _chain(
    message: discord.Message, page: Sequence[discord.Message], most: int, pace: Pace
) -> list[discord.Message]:
    """The messages that it replies to, oldest first.

    The chain ends where a message was deleted or can't be read.
    """
    known = {earlier.id: earlier for earlier in page}
    chain: list[discord.Message] = []
    while len(chain) < most:
        last = chain[0] if chain else message
        earlier = await pace.retried(replied_to, last, known)
        if earlier is None:
            break
        chain.insert(0, earlier)
    return chain


def _own(root: discord.Message, earlier: Sequence[discord.Message]) -> list[discord.Message]:
    """What the person who began the conversation had said right before; `earlier` newest first."""
    if root.author.bot:
        return []
    return right_before(
        root.created_at,
        earlier,
        lambda message: message.author == root.author,
        lambda message: message.created_at,
    )


async def replied_to(
    message: discord.Message, known: Mapping[int, discord.Message] | None = None
) -> discord.Message | None:
    """The message that this one replies to; None if there is none, or it can't be read."""
    id = _reply_of(message)
    reference = message.reference
    if id is None or reference is None:
        return None
    if isinstance(reference.resolved, discord.Message):
        return (known or {}).get(id, reference.resolved)
    if found := (known or {}).get(id) or reference.cached_message:
        return found
    try:
        return await message.channel.fetch_message(id)
    except (discord.NotFound, discord.Forbidden):
        return None


def _reply_of(message: discord.Message) -> int | None:
    """The id of what it replies to: not of what it forwards from another place."""
    reference = message.reference
    replies = reference is not None and reference.type is discord.MessageReferenceType.reply
    return reference.message_id if reference is not None and replies else None


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


def _newest_of(newest_first: Sequence[discord.Message], most: int) -> list[discord.Message]:
    return list(newest_first[:most])[::-1]
