"""Where the app is installed: one workspace by its token, or many by OAuth.

https://docs.slack.dev/authentication/installing-with-oauth
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.oauth.state_store.sqlalchemy import AsyncSQLAlchemyOAuthStateStore
from slack_sdk.web.async_client import AsyncWebClient

from bot.config import SlackConfig, fernet_keys
from bot.platforms.slack.limits import RATE_LIMIT_RETRIES
from bot.platforms.slack.sealing import SealedInstallationStore
from bot.storage import Store

log = structlog.get_logger()

SCOPES = (
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "mpim:history",
    "users:read",
)
GROUPS_SCOPE = "usergroups:read"
"""Only for `moderator_groups`."""
SEARCH_SCOPE = "search:read.public"
"""Only for the tool `search_here`."""
EVENTS = (
    "agent_session_stopped",
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "tokens_revoked",
)
REMOVALS = ("app_uninstalled", "tokens_revoked")
EVENTS_PATH = "/slack/events"
INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"
STATE_SECONDS = 600


ALL_SCOPES = sorted({*SCOPES, GROUPS_SCOPE, SEARCH_SCOPE})
"""What config/slack-manifest.yaml asks for."""


def scopes_for(config: SlackConfig) -> set[str]:
    """What the bot needs as it is configured."""
    return {*SCOPES, *([GROUPS_SCOPE] if config.moderator_groups else [])}


async def new_app(config: SlackConfig, store: Store) -> AsyncApp:
    """The app with its way to tokens: the configured one, or those of the installations.

    Raises PlatformUnusable.
    """
    client = AsyncWebClient(
        token=config.bot_token.get_secret_value() or None,
        base_url=config.api_url,
        # Nothing else is tried again here: a message that seemed to fail may have been posted.
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=RATE_LIMIT_RETRIES)],
    )
    options: dict[str, Any] = {
        "client": client,
        "signing_secret": config.signing_secret.get_secret_value(),
        # Else Slack is told that the bot has a question before the database is.
        "process_before_response": True,
        # Else Bolt keeps back that somebody deleted a message of the bot.
        "ignoring_self_events_enabled": False,
    }
    if client.token:
        with _no_settings_from_the_environment():
            app = AsyncApp(**options)
        for event in REMOVALS:
            app.event(event)(_tell_removed)
        return app
    installations = await _installations(config, store)
    oauth = _oauth(config, installations, store)
    with _no_settings_from_the_environment():
        app = AsyncApp(**options, oauth_settings=oauth)
    for event in REMOVALS:
        app.event(event)(partial(_removed, installations))
    return app


@contextmanager
def _no_settings_from_the_environment() -> Iterator[None]:
    """Bolt takes settings of its own there: with an empty SLACK_CLIENT_ID, which .env and
    compose.yaml may set, it forgets the token and looks for installations.
    """
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("SLACK_")}
    try:
        yield
    finally:
        os.environ.update(hidden)


async def _tell_removed(context: AsyncBoltContext) -> None:
    log.warning("slack: the app was removed or its tokens were revoked", workspace=context.team_id)


async def _removed(
    installations: SealedInstallationStore, event: dict[str, Any], context: AsyncBoltContext
) -> None:
    """Delete the tokens that are good no longer.

    Bolt's own listeners leave those of an organisation, and a revoked token of the bot's that
    stands in the installation too.
    """
    await _tell_removed(context)
    team = None if context.is_enterprise_install else context.team_id
    of = {"enterprise_id": context.enterprise_id, "team_id": team}
    revoked = event.get("tokens")
    if revoked is None or revoked.get("bot"):
        await installations.async_delete_all(**of)
    for user in (revoked or {}).get("oauth") or ():
        await installations.async_delete_installation(**of, user_id=user)


async def _installations(config: SlackConfig, store: Store) -> SealedInstallationStore:
    keys = config.token_key.get_secret_value()
    installations = SealedInstallationStore(config.client_id, store.engine, fernet_keys(keys))
    await installations.seal()
    return installations


def _oauth(
    config: SlackConfig, installations: SealedInstallationStore, store: Store
) -> AsyncOAuthSettings:
    """Installations and the states of those under way are kept in our database."""
    return AsyncOAuthSettings(
        client_id=config.client_id,
        client_secret=config.client_secret.get_secret_value(),
        scopes=sorted(scopes_for(config)),
        installation_store=installations,
        state_store=AsyncSQLAlchemyOAuthStateStore(STATE_SECONDS, store.engine),
        install_path=INSTALL_PATH,
        redirect_uri_path=REDIRECT_PATH,
    )
