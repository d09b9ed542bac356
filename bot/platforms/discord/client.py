"""The connection to Discord: its address, proxy, intents and shards."""

import logging
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.config import DiscordConfig

UNREACHABLE = (
    discord.HTTPException,
    discord.ConnectionClosed,
    discord.GatewayNotFound,
    aiohttp.ClientError,
    OSError,
)
"""What is raised when Discord, or a proxy on the way, can't be reached."""


async def new_client(config: DiscordConfig) -> discord.Client:
    """A client with the intents that the developer portal grants.

    It has the shards of the configuration, or as many as Discord recommends.

    discord.Client and AutoShardedClient can't be told where REST and gateway are, and the first
    never asks for the gateway's address: both are set here for the whole process.

    Raises discord.LoginFailure and what UNREACHABLE has.
    """
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # no voice here
    logging.getLogger("discord.client").addFilter(_without_traceback)
    async with _probe(config) as probe:
        application = await _application(probe, config)
        gateway = await probe.http.request(Route("GET", "/gateway"))
        try:
            shards, _, _ = await probe.http.get_bot_gateway()
        except discord.GatewayNotFound:  # a proxy without it
            shards = 1
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway["url"])
    shards = config.shard_count or shards
    options: dict[str, Any] = {
        "intents": intents(reads_all_messages(application)),
        "allowed_mentions": discord.AllowedMentions.none(),
        "max_messages": None,
        **_proxy_for(config.api_url),
    }
    if shards > 1:
        ids = config.shard_ids or list(range(shards))
        return discord.AutoShardedClient(shard_count=shards, shard_ids=ids, **options)
    return discord.Client(**options)


async def application_of(config: DiscordConfig) -> discord.AppInfo:
    """What Discord says about the token's application. Raises as `new_client` does."""
    async with _probe(config) as probe:
        return await _application(probe, config)


def reads_all_messages(application: discord.AppInfo) -> bool:
    """Whether the portal grants the message content intent."""
    flags = application.flags
    return flags.gateway_message_content or flags.gateway_message_content_limited


def intents(message_content: bool) -> discord.Intents:
    """What the bot hears of: its servers, and messages in them and in private."""
    return discord.Intents(
        guilds=True, guild_messages=True, dm_messages=True, message_content=message_content
    )


def _probe(config: DiscordConfig) -> discord.Client:
    Route.BASE = config.api_url.rstrip("/")
    return discord.Client(intents=discord.Intents(guilds=True), **_proxy_for(config.api_url))


async def _application(probe: discord.Client, config: DiscordConfig) -> discord.AppInfo:
    await probe.login(config.token.get_secret_value())
    assert probe.application is not None
    return probe.application


def _proxy_for(address: str) -> dict[str, Any]:
    """The options for the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name for `address`."""
    url = yarl.URL(address)
    named = getproxies().get(url.scheme)
    if not named or proxy_bypass(url.host or ""):
        return {}
    proxy = yarl.URL(named if "://" in named else f"http://{named}")
    options: dict[str, Any] = {"proxy": str(proxy.with_user(None))}
    if proxy.user is not None:
        options["proxy_auth"] = aiohttp.BasicAuth(proxy.user, proxy.password or "")
    return options


def _without_traceback(record: logging.LogRecord) -> bool:
    """discord.py logs a lost connection with a traceback; the reason is enough."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, UNREACHABLE):
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        record.msg, record.args = f"{record.getMessage()}: {reason}", ()
        record.exc_info = record.exc_text = None
    return True
