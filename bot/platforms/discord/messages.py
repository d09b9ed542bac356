"""Discord's messages as the core's, and the conversation that a message belongs to."""

from __future__ import annotations  # some of discord.py's types exist only for checkers

import re
from collections.abc import Sequence
from typing import TypeAlias

import discord

from bot.conversation.events import Attachment, Author, Message, Place
from bot.conversation.texts import Texts

OWN_LINE = "-# \u2063"
"""Begins the bot's own small lines (status, notices, footer). The invisible separator tells them
from small lines that the model wrote."""
ANSWER_FILE = "answer.md"
"""A long answer's name as a file: read back whole in place of the message's text."""

_OWN_LINES = re.compile(rf"\n*^{OWN_LINE}.*$", re.MULTILINE)
_SPOKEN = (discord.MessageType.default, discord.MessageType.reply)
_SHOWN = (*_SPOKEN, discord.MessageType.thread_starter_message)

Channel: TypeAlias = "discord.abc.MessageableChannel | discord.interactions.InteractionChannel"


def is_spoken(message: discord.Message) -> bool:
    """Whether a person wrote it; joins, pins and answers to commands are none."""
    return message.type in _SPOKEN and not message.author.bot


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


def author_of(
    person: discord.abc.User, rights: discord.Permissions | None, me: discord.ClientUser
) -> Author:
    """A person and their rights in a channel: all of them in a direct conversation (None)."""
    roles: list[discord.Role] = []
    if isinstance(person, discord.Member) and person.guild:  # None where the bot is no member
        roles = person.roles
    return Author(
        str(person.id),
        person.display_name,
        is_bot=person.id == me.id,
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


def plain_text(message: discord.Message, me: discord.ClientUser) -> str:
    """The message's text with names for mentions: none of the bot, none of the bot's own lines."""
    if message.author.id == me.id:
        return _OWN_LINES.sub("", message.clean_content).strip()
    here = message.guild.me if message.guild else me
    return message.clean_content.replace(f"@{here.display_name}", "").strip()


async def read(
    message: discord.Message, me: discord.ClientUser, attachment_bytes: int, texts: Texts
) -> Message:
    """The message with its attachments up to `attachment_bytes` that are UTF-8 text."""
    text = plain_text(message, me)
    files: list[Attachment] = []
    notices: list[str] = []
    for file in message.attachments:
        if file.size > attachment_bytes:
            limit = attachment_bytes // 1024
            notices.append(texts("file_too_big", name=file.filename, limit=limit))
            continue
        try:
            content = (await file.read()).decode("utf-8")
        except UnicodeDecodeError:
            notices.append(texts("file_not_text", name=file.filename))
        except discord.HTTPException:
            notices.append(texts("file_failed", name=file.filename))
        else:
            if message.author.id == me.id and file.filename == ANSWER_FILE:
                text = content
            elif "\0" in content:
                notices.append(texts("file_not_text", name=file.filename))
            else:
                files.append(Attachment(file.filename, content))
    author = author_of(message.author, rights_in(message.channel, message.author), me)
    return Message(str(message.id), author, text, tuple(files), tuple(notices))


async def history_of(message: discord.Message, limit: int) -> Sequence[discord.Message]:
    """What was said before `message`, oldest first: the thread, or the chain of replies.

    At most `limit` messages. A chain ends where a message was deleted or can't be read.
    """
    channel = message.channel
    if isinstance(channel, discord.Thread | discord.DMChannel):
        try:
            found = [m async for m in channel.history(limit=limit, before=message)]
        except discord.Forbidden:
            return []
        return [_started(m) for m in found[::-1] if m.type in _SHOWN]
    chain: list[discord.Message] = []
    while len(chain) < limit and (earlier := await replied_to(chain[-1] if chain else message)):
        chain.append(earlier)
    return chain[::-1]


async def replied_to(message: discord.Message) -> discord.Message | None:
    """The message that this one replies to; None if there is none, or it can't be read."""
    reference = message.reference
    if reference is None or reference.message_id is None:
        return None
    if isinstance(reference.resolved, discord.Message):
        return reference.resolved
    if reference.cached_message is not None:
        return reference.cached_message
    try:
        return await message.channel.fetch_message(reference.message_id)
    except (discord.NotFound, discord.Forbidden):
        return None


def _started(message: discord.Message) -> discord.Message:
    """A thread begins with a message that only points at the one it was opened from."""
    reference = message.reference
    if message.type is discord.MessageType.thread_starter_message and reference:
        resolved = reference.resolved or reference.cached_message
        if isinstance(resolved, discord.Message):
            return resolved
    return message
