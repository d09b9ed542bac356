"""The permissions that the bot wants in a channel and does not have."""

from __future__ import annotations  # some of discord.py's types exist only for checkers

from dataclasses import dataclass

import discord

from bot.conversation.texts import Texts

WANTED = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    create_public_threads=True,
    read_message_history=True,
    embed_links=True,
    attach_files=True,
)
"""What the invitation asks for; docs/install-discord.md says what each is for."""


def invitation(application: int) -> str:
    """The link with which people add the bot to a server or to their account."""
    scopes = ("bot", "applications.commands")
    return discord.utils.oauth_url(application, permissions=WANTED, scopes=scopes)


@dataclass(frozen=True)
class MissingPermission:
    """`permission` is its name in Discord's settings, `effect` the key of what it prevents."""

    permission: str
    effect: str

    def line(self, texts: Texts) -> str:
        effect = texts(f"lacks_{self.effect}")
        return texts("lacks_permission", permission=self.permission, effect=effect)


def missing_to_send(channel: discord.abc.MessageableChannel) -> MissingPermission | None:
    """Why nothing can be sent here; None where it can."""
    if channel.guild is None:
        return None
    mine = channel.permissions_for(channel.guild.me)
    if isinstance(channel, discord.Thread):
        if not mine.send_messages_in_threads:
            return MissingPermission("Send Messages in Threads", "send")
    elif not mine.send_messages:
        return MissingPermission("Send Messages", "send")
    return None


def missing_to_answer(
    channel: discord.abc.MessageableChannel, *, thread: bool, reasoning: bool, file: bool
) -> list[MissingPermission]:
    """What the bot wants for answers here besides sending, and does not have."""
    if channel.guild is None:
        return []
    mine = channel.permissions_for(channel.guild.me)
    found = []
    if not mine.read_message_history:
        found.append(MissingPermission("Read Message History", "history"))
    if thread and not mine.create_public_threads:
        found.append(MissingPermission("Create Public Threads", "thread"))
    if reasoning and not mine.embed_links:
        found.append(MissingPermission("Embed Links", "embed"))
    if file and not mine.attach_files:
        found.append(MissingPermission("Attach Files", "file"))
    return found
