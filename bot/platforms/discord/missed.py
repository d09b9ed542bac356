"""Mentions that came while there was no session: Discord replays nothing to a new one."""

from __future__ import annotations  # some of discord.py's types exist only for checkers

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import discord

from bot.platforms.discord.sending import Pace

MISSED = timedelta(minutes=10)
"""Older mentions get no answer: a night's messages are not worked off."""
CHANNELS = 50
"""Channels and threads that are read, those with the newest messages first."""
MESSAGES = 100
"""Of each channel: what one request returns."""
SECONDS = 60.0
"""For all of it."""


async def missed_mentions(client: discord.Client, pace: Pace) -> list[discord.Message]:
    """What mentions the bot, is a few minutes old at most and has no reply of the bot's.

    Some of it may have been heard before. What is read when the time is over is all there is.
    """
    since = discord.utils.utcnow() - MISSED
    missed: list[discord.Message] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            for channel in _readable(client, discord.utils.time_snowflake(since)):
                try:
                    found = await pace.retried(_messages_since, channel, since)
                except discord.HTTPException:  # it is gone, or its rights changed
                    continue
                answered = {m.reference.message_id for m in found if _is_mine(m) and m.reference}
                missed += [
                    message
                    for message in found
                    if client.user in message.mentions and message.id not in answered
                ]
    return missed


async def _messages_since(
    channel: discord.TextChannel | discord.Thread, since: datetime
) -> list[discord.Message]:
    """The newest, oldest first."""
    found = channel.history(limit=MESSAGES, after=since, oldest_first=False)
    return [message async for message in found][::-1]


def _readable(client: discord.Client, since: int) -> Sequence[discord.TextChannel | discord.Thread]:
    """Channels whose history the bot may read and that may have something newer than `since`."""
    found: list[discord.TextChannel | discord.Thread] = []
    for guild in client.guilds:
        found += guild.text_channels
        found += guild.threads
    found = [channel for channel in found if (channel.last_message_id or since) >= since]
    found = [channel for channel in found if _may_read(channel.permissions_for(channel.guild.me))]
    return sorted(found, key=lambda channel: channel.last_message_id or 0, reverse=True)[:CHANNELS]


def _may_read(rights: discord.Permissions) -> bool:
    return rights.view_channel and rights.read_message_history


def _is_mine(message: discord.Message) -> bool:
    here = message.guild
    return here is not None and message.author.id == here.me.id
