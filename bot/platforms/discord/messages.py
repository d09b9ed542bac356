"""Discord's messages, places and people as the core's."""

from __future__ import annotations  # some of discord.py's types exist only for checkers

import re
from typing import TypeAlias

import discord

from bot.conversation.events import Author, Place
from bot.platforms import written

OWN_LINE = "-# \u2063"
"""Begins the bot's own small lines (status, notices, footer). The invisible separator tells them
from small lines that the model wrote."""
OWN_MESSAGE = "\u2063\u2063"
"""Within a message that is the bot's own as a whole, such as a list or a block of code."""
ANSWER_FILE = "answer.md"
"""A long answer's name as a file: read back whole in place of the message's text."""

_OWN_LINES = re.compile(rf"\n*^{OWN_LINE}.*$", re.MULTILINE)
_SPOKEN = (discord.MessageType.default, discord.MessageType.reply)
_SHOWN = (*_SPOKEN, discord.MessageType.thread_starter_message)
_OF_APPS = (discord.MessageType.chat_input_command, discord.MessageType.context_menu_command)
"""Answers to commands: those of other apps are part of a conversation, this bot's are not."""

Channel: TypeAlias = "discord.abc.MessageableChannel | discord.interactions.InteractionChannel"


def is_spoken(message: discord.Message) -> bool:
    """Whether somebody wrote it; joins, pins and answers to commands are none."""
    return message.type in _SPOKEN


def is_shown(message: discord.Message) -> bool:
    """Whether it is part of a conversation: a person's, another app's, or one of the bot's."""
    if message.type in _OF_APPS:
        here = message.channel
        me = here.me if isinstance(here, discord.DMChannel) else here.guild and here.guild.me
        return message.author != me
    return message.type in _SHOWN


def without_own_lines(text: str) -> str:
    """What the model wrote of one of the bot's messages."""
    if OWN_MESSAGE in text:
        return ""
    return _OWN_LINES.sub("", text).strip()


def may_be_foreign(text: str) -> bool:
    """Whether an answer of the bot's is made from others' words, by its own lines."""
    lines = [line.removeprefix(OWN_LINE) for line in text.split("\n") if line.startswith(OWN_LINE)]
    return written.may_be_foreign(lines)


def own_line(text: str) -> str:
    """`text` as small lines that don't belong to the conversation."""
    return "\n".join(f"{OWN_LINE}{line}" for line in text.splitlines())


def own_message(text: str) -> str:
    """A message that doesn't belong to the conversation and looks as it is written.

    Its mark is where Discord can't trim it away, nor take it for what a line begins with.
    """
    if "\n" not in text:
        return own_line(text)
    at = next((at for at, character in enumerate(text) if character.isalnum()), 0)
    return text[:at] + OWN_MESSAGE + text[at:]


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


def me_in(interaction: discord.Interaction) -> discord.ClientUser:
    """The bot."""
    assert interaction.client.user is not None
    return interaction.client.user


def place_in(interaction: discord.Interaction) -> Place:
    """Where somebody chose, pressed or filled in something."""
    assert interaction.channel is not None
    return place_of(interaction.channel, interaction.guild_id)


def author_in(interaction: discord.Interaction) -> Author:
    """Who did so."""
    rights = None if interaction.guild_id is None else interaction.permissions
    return author_of(interaction.user, rights, me_in(interaction))


def rights_in(
    channel: discord.abc.MessageableChannel | discord.abc.GuildChannel, person: discord.abc.User
) -> discord.Permissions | None:
    """None in a direct conversation."""
    if channel.guild is None:
        return None
    if isinstance(person, discord.Member):
        return channel.permissions_for(person)
    return discord.Permissions.none()


def reads_history(
    channel: discord.abc.MessageableChannel | discord.abc.GuildChannel, person: discord.abc.User
) -> bool:
    """Whether the person has the rights to see a server's channel and what was said in it."""
    rights = rights_in(channel, person)
    return rights is not None and rights.view_channel and rights.read_message_history


def reply_of(message: discord.Message) -> int | None:
    """The id of what it replies to: not of what it forwards from another place."""
    reference = message.reference
    if reference is None or reference.type is not discord.MessageReferenceType.reply:
        return None
    return reference.message_id


def resolved_reply(message: discord.Message) -> discord.Message | None:
    """The message that this one replies to, where Discord sent it along."""
    if reply_of(message) is None or message.reference is None:
        return None
    found = message.reference.resolved or message.reference.cached_message
    return found if isinstance(found, discord.Message) else None


async def replied_to(message: discord.Message) -> discord.Message | None:
    """The message that this one replies to; None if there is none, or it can't be read."""
    id, sent_along = reply_of(message), resolved_reply(message)
    if id is None or sent_along is not None:
        return sent_along
    try:
        return await message.channel.fetch_message(id)
    except (discord.NotFound, discord.Forbidden):
        return None
