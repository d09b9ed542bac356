"""The connection to Discord: its address, intents and shards."""

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.config import DiscordConfig


async def new_client(config: DiscordConfig) -> discord.Client:
    """A client with the intents that the developer portal grants.

    It has the shards of the configuration, or as many as Discord recommends.

    Neither discord.Client nor AutoShardedClient can be told where REST and gateway are, and the
    first never asks for the gateway's address: both are set here for the whole process.

    Raises discord.LoginFailure, discord.HTTPException.
    """
    Route.BASE = config.api_url.rstrip("/")
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # no voice here
    async with discord.Client(intents=discord.Intents(guilds=True)) as probe:
        await probe.login(config.token.get_secret_value())
        assert probe.application is not None
        flags = probe.application.flags
        gateway = await probe.http.request(Route("GET", "/gateway"))
        try:
            shards, _, _ = await probe.http.get_bot_gateway()
        except discord.GatewayNotFound:  # a proxy without it
            shards = 1
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway["url"])
    heard = intents(flags.gateway_message_content or flags.gateway_message_content_limited)
    nobody = discord.AllowedMentions.none()
    shards = config.shard_count or shards
    if shards > 1:
        return discord.AutoShardedClient(
            intents=heard,
            allowed_mentions=nobody,
            max_messages=None,
            shard_count=shards,
            shard_ids=config.shard_ids or list(range(shards)),
        )
    return discord.Client(intents=heard, allowed_mentions=nobody, max_messages=None)


def intents(message_content: bool) -> discord.Intents:
    """What the bot hears of: its servers, and messages in them and in private."""
    return discord.Intents(
        guilds=True, guild_messages=True, dm_messages=True, message_content=message_content
    )
