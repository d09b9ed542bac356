"""Discord's messages as the core's, and the conversation that a message belongs to."""

from __future__ import annotations  # some of discord.py's types exist only for checkers

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TypeAlias

import discord

from bot.conversation.events import Author, Place

OWN_LINE = "-# \u2063"
"""Begins the bot's own small lines (status, notices, footer). The invisible separator tells them
from small lines that the model wrote."""
ANSWER_FILE = "answer.md"
"""A long answer's name as a file: read back whole in place of the message's text."""
OWN_MESSAGES = 5
"""Of the asker, right before the question."""
BACK_TO_BACK = timedelta(minutes=5)
"""The longest pause between them."""

_OWN_LINES = re.compile(rf"\n*^{OWN_LINE}.*$", re.MULTILINE)
_SPOKEN = (discord.MessageType.default, discord.MessageType.reply)
_SHOWN = (*_SPOKEN, discord.MessageType.thread_starter_message)
_OF_APPS = (discord.MessageType.chat_input_command, discord.MessageType.context_menu_command)
"""What other apps answer to commands; what this one does isn't part of a conversation."""

Channel: TypeAlias = "discord.abc.MessageableChannel | discord.interactions.InteractionChannel"


def is_spoken(message: discord.Message) -> bool:
    """Whether somebody wrote it; joins, pins and answers to commands are none."""
    return message.type in _SPOKEN


def without_own_lines(text: str) -> str:
    """What the model wrote of one of the bot's messages."""
    return _OWN_LINES.sub("", text).strip()


def own_line(text: str) -> str:
    """`text` as small lines that are no part of the conversation."""
    return "\n".join(f"{OWN_LINE}{line}" for line in text.splitlines())


def place_of(channel: Channel, guild_id: int | None) -> Place:
    """Where a channel is; a direct conversation is a server of its own."""
    if guild_id is None:
        return Place("discord", f"dm-{channel.id}", str(channel.id), direct=True)
    category = getattr(channel, "category_id", None)
    filed = None if category is None else str(category)
    if isinstance(channel, discord.Thread):
        return Place("discord", str(guild_id), str(channel.parent_id), str(channel.id), filed)
    return Place("discord", str(guild_id), str(channel.id), None, filed)


def is_post(channel: Channel) -> bool:
    """Whether it is a forum's post: a thread whose first message has its id."""
    return isinstance(channel, discord.Thread) and isinstance(channel.parent, discord.ForumChannel)


def author_of(
    person: discord.abc.User, rights: discord.Permissions | None, me: discord.ClientUser
) -> Author:
    """A person and their rights in a channel: all of them in a direct conversation (None)."""
    roles: list[discord.Role] = []
    if isinstance(person, discord.Member) and person.guild:  # None where the bot isn't a member
        roles = person.roles
    return Author(
        str(person.id),
        person.display_name,
        is_bot=person.id == me.id,
        is_app=person.bot and person.id != me.id,
        moderator=rights is None or rights.manage_channels,
        admin=rights is None or rights.manage_guild,
        roles=frozenset(str(role.id) for role in roles),
    )


def rights_in(
    channel: discord.abc.MessageableChannel, person: discord.abc.User
) -> discord.Permissions | None:
    """None in a direct conversation."""
    if channel.guild is None:
        return None
    if isinstance(person, discord.Member):
        return channel.permissions_for(person)
    return discord.Permissions.none()


async def history_of(message: discord.Message, limit: int) -> Sequence[discord.Message]:
    """What was said before `message`, oldest first: the thread, or the chain of replies.

    At most `limit` messages. A chain ends where a message was deleted or can't be read. What the
    person who began it had said right before belongs to it: code in one message, the mention in
    the next.
    """
    channel = message.channel
    if isinstance(channel, discord.Thread | discord.DMChannel):
        try:
            found = [m async for m in channel.history(limit=limit, before=message)]
        except (discord.Forbidden, discord.NotFound):
            return []
        begin = await _beginning_of_post(message, found)
        return [*begin, *(_started(m) for m in found[::-1] if _is_shown(m))]
    chain: list[discord.Message] = []
    while len(chain) < limit and (earlier := await replied_to(chain[-1] if chain else message)):
        chain.append(earlier)
    first = chain[-1] if chain else message
    return [*await _right_before(first, min(OWN_MESSAGES, limit - len(chain))), *chain[::-1]]


async def _right_before(message: discord.Message, limit: int) -> list[discord.Message]:
    """What the same person said right before `message`, oldest first, with nobody in between."""
    own: list[discord.Message] = []
    later = message
    if message.author.bot or limit <= 0:
        return own
    try:
        async for earlier in message.channel.history(limit=limit, before=message):
            if earlier.id >= message.id:
                continue  # not before the question
            gap = later.created_at - earlier.created_at
            if earlier.author != message.author or gap > BACK_TO_BACK or not _is_shown(earlier):
                break
            own.insert(0, earlier)
            later = earlier
    except (discord.Forbidden, discord.NotFound):  # the question can be answered without it
        return []
    return own


async def replied_to(message: discord.Message) -> discord.Message | None:
    """The message that this one replies to; None if there is none, or it can't be read."""
    reference = message.reference
    if reference is None or reference.message_id is None:
        return None
    if reference.type is not discord.MessageReferenceType.reply:
        return None  # it forwards one of another place
    if isinstance(reference.resolved, discord.Message):
        return reference.resolved
    if reference.cached_message is not None:
        return reference.cached_message
    try:
        return await message.channel.fetch_message(reference.message_id)
    except (discord.NotFound, discord.Forbidden):
        return None


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


def _is_shown(message: discord.Message) -> bool:
    if message.type in _OF_APPS:
        here = message.channel
        me = here.me if isinstance(here, discord.DMChannel) else here.guild and here.guild.me
        return message.author != me
    return message.type in _SHOWN


def _started(message: discord.Message) -> discord.Message:
    """A thread begins with a message that only points at the one it was opened from."""
    reference = message.reference
    if message.type is discord.MessageType.thread_starter_message and reference:
        resolved = reference.resolved or reference.cached_message
        if isinstance(resolved, discord.Message):
            return resolved
    return message
