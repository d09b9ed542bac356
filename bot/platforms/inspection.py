"""Asks Discord and Slack about the tokens of the configuration, without starting the bot."""

from dataclasses import dataclass

from aiohttp import ClientError

from bot.config import DiscordConfig, SlackConfig
from bot.one_line import one_line


class PlatformProblem(Exception):
    """A token that can't be used, or a platform that can't be reached; one line that says why."""


@dataclass(frozen=True)
class DiscordApplication:
    """What Discord says about the token's application."""

    application: int
    name: str
    message_content: bool
    """Whether the portal grants the message content intent."""


@dataclass(frozen=True)
class SlackApp:
    """What Slack says about the tokens."""

    workspace: str
    bot: str
    missing: list[str]
    """Scopes that the bot needs and the token lacks."""


async def inspect_discord(config: DiscordConfig) -> DiscordApplication:
    """Raises PlatformProblem."""
    import discord

    from bot.platforms.discord.client import UNREACHABLE, application_of, reads_all_messages

    if not config.token.get_secret_value():
        raise PlatformProblem("discord.token is not set: put it into .env as DISCORD_TOKEN")
    try:
        found = await application_of(config)
    except discord.LoginFailure as error:
        raise PlatformProblem(
            "discord.token: Discord does not accept it; reset the token in the developer portal"
        ) from error
    except UNREACHABLE as error:
        raise PlatformProblem(_unreachable("Discord", config.api_url, error)) from error
    return DiscordApplication(found.id, found.name, reads_all_messages(found))


async def inspect_slack(config: SlackConfig) -> SlackApp:
    """The workspace's token and, for Socket Mode, the app's. Raises PlatformProblem."""
    from slack_sdk.errors import SlackApiError
    from slack_sdk.web.async_client import AsyncWebClient

    from bot.platforms.slack.errors import ADVICE, code_of
    from bot.platforms.slack.installations import scopes_for

    key = "slack.bot_token"
    try:
        client = AsyncWebClient(
            token=config.bot_token.get_secret_value(), base_url=config.api_url, timeout=15
        )
        found = await client.auth_test()
        if config.app_token.get_secret_value():
            key = "slack.app_token"
            await client.apps_connections_open(app_token=config.app_token.get_secret_value())
    except SlackApiError as error:
        code = code_of(error)
        advice = ADVICE.get(code, "copy it again from api.slack.com/apps")
        if key == "slack.app_token" and code == "not_allowed_token_type":
            advice = "it isn't an app-level token (xapp-…) with the scope connections:write"
        raise PlatformProblem(f"{key}: Slack does not accept it ({code}): {advice}") from error
    except (OSError, ClientError) as error:
        raise PlatformProblem(_unreachable("Slack", config.api_url, error)) from error
    granted = set(found.headers.get("x-oauth-scopes", "").split(",")) - {""}
    missing = sorted(scopes_for(config) - granted) if granted else []
    return SlackApp(str(found["team"]), str(found["user"]), missing)


def _unreachable(platform: str, address: str, error: BaseException) -> str:
    return f"{platform} can't be reached at {address}: {one_line(error)}"
