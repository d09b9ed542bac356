"""What was said in a channel, read page by page, and who may read it."""

from __future__ import annotations  # some of discord.py's types exist only for checkers

from collections.abc import AsyncIterator

import discord

from bot.platforms.discord.messages import is_shown, reads_history


def may_read(
    channel: discord.abc.Messageable | discord.abc.GuildChannel, person: discord.abc.User
) -> bool:
    """Whether the person may read what was said in the channel before, by their rights now."""
    if isinstance(channel, discord.DMChannel):
        return channel.recipient is None or channel.recipient.id == person.id
    if isinstance(channel, discord.Thread):
        if channel.is_private():
            return False  # who is in it isn't known
    elif not isinstance(channel, discord.abc.GuildChannel):
        return False
    return reads_history(channel, person)


async def said_in(
    channel: discord.abc.Messageable,
    *,
    before: discord.abc.Snowflake | None = None,
    after: discord.abc.Snowflake | None = None,
    limit: int | None = None,
) -> AsyncIterator[discord.Message]:
    """What people and apps said and the bot answered, newest first; a hundred a request.

    At most `limit` messages are looked at; None: all. Raises discord.HTTPException.
    """
    async for message in channel.history(
        limit=limit, before=before, after=after, oldest_first=False
    ):
        if is_shown(message):
            yield message
