"""Discord's own search, with the asker's rights.

https://docs.discord.com/developers/resources/message#search-guild-messages
"""

from __future__ import annotations  # some of discord.py's types exist only for checkers

import asyncio
from collections.abc import Sequence
from typing import Any

import discord
from discord.http import Route

from bot.platforms.discord.messages import reads_history
from bot.platforms.discord.words import named
from bot.tools import MessageHit, SearchHere, ToolError

CHANNELS = 500
"""Of one search."""
QUERY_LENGTH = 1024
TRIES, LONGEST_WAIT_SECONDS = 3, 5.0
"""While Discord indexes the server."""


def search_of(question: discord.Message, client: discord.Client) -> SearchHere | None:
    """The search for who asks; None where there is none: in private, or without the intent."""
    guild, me = question.guild, client.user
    if guild is None or me is None or not client.intents.message_content:
        return None

    async def search(query: str, count: int) -> Sequence[MessageHit]:
        channels = _readable(question)
        params = [("content", query[:QUERY_LENGTH]), ("limit", str(min(count, 25)))]
        params += [("channel_id", str(id)) for id in list(channels)[:CHANNELS]]
        route = Route("GET", "/guilds/{guild_id}/messages/search", guild_id=guild.id)
        found: dict[str, Any] = {}
        for _ in range(TRIES):
            try:
                found = await client.http.request(route, params=params)
            except discord.HTTPException as error:
                raise ToolError(f"Discord refused the search: {error.code}") from None
            if "messages" in found:
                break
            await asyncio.sleep(min(float(found.get("retry_after") or 1), LONGEST_WAIT_SECONDS))
        if "messages" not in found:
            raise ToolError("Discord is still indexing this server, try again later")
        parents = {thread["id"]: thread for thread in found.get("threads") or ()}
        messages = [_hit(group) for group in found["messages"] if group]
        hits = []
        for message in messages:
            name = _place(message, channels, parents, question)
            if name is not None:
                hits.append(_shown(message, name, question, me))
        return hits[:count]

    return search


def _readable(question: discord.Message) -> dict[int, str]:
    """Names of the channels by their ids: those that the asker may read, and everybody here too.

    What stands in another channel that not everybody can read must not be told in this one.
    """
    guild, here = question.guild, question.channel
    assert guild is not None
    own = here.parent_id if isinstance(here, discord.Thread) else here.id
    found = {}
    for channel in guild.channels:
        if not reads_history(channel, question.author):
            continue
        everybody = channel.permissions_for(guild.default_role)
        if channel.id == own or (everybody.view_channel and everybody.read_message_history):
            found[channel.id] = channel.name
    return found


def _hit(group: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that was found, among those around it."""
    return next((message for message in group if message.get("hit")), group[0])


def _place(
    message: dict[str, Any],
    channels: dict[int, str],
    threads: dict[str, dict[str, Any]],
    question: discord.Message,
) -> str | None:
    """Where the message stands; None where it must not be told."""
    id = int(message["channel_id"])
    if id in channels:
        return channels[id]
    thread = threads.get(message["channel_id"])
    if thread is None or int(thread.get("parent_id") or 0) not in channels:
        return None
    private = thread.get("type") == discord.ChannelType.private_thread.value
    return None if private and id != question.channel.id else str(thread.get("name"))


def _shown(
    message: dict[str, Any], place: str, question: discord.Message, me: discord.ClientUser
) -> MessageHit:
    author = message.get("author") or {}
    link = (
        f"https://discord.com/channels/{question.guild.id if question.guild else '@me'}"
        f"/{message['channel_id']}/{message['id']}"
    )
    text = named(str(message.get("content") or ""), question, me)
    name = str(author.get("global_name") or author.get("username") or "somebody")
    return MessageHit(name, f"#{place}", text, link)
