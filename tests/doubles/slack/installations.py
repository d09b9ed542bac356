"""The app: what its manifest says, and where it is installed with which token.

https://docs.slack.dev/reference/app-manifest, https://docs.slack.dev/authentication
"""

import secrets
from dataclasses import dataclass, field
from typing import Any

from tests.doubles.slack.errors import SlackError
from tests.doubles.slack.state import Channel, Grid, User, Workspace, new_id

SCOPES = {
    *("app_mentions:read", "channels:history", "groups:history", "im:history", "im:read"),
    *("channels:read", "groups:read", "mpim:history", "search:read.public"),
    *("im:write", "chat:write", "reactions:write", "users:read", "assistant:write"),
    *("commands", "files:read"),
}
EVENTS = {
    *("app_home_opened", "app_mention", "message.channels", "message.groups", "message.im"),
    *("message.mpim", "app_uninstalled", "tokens_revoked"),
    "agent_session_stopped",
}
EVENT_SCOPES = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
    "agent_session_stopped": "chat:write",
}


@dataclass(eq=False)
class AppSettings:
    """The app as its settings page has it; `use_manifest` fills that in."""

    id: str = field(default_factory=lambda: new_id("A"))
    client_id: str = "1.1"
    client_secret: str = "client-secret"
    signing_secret: str = "signing-secret"
    token: str = "xapp-1-A-1-double"
    """For Socket Mode."""
    scopes: set[str] = field(default_factory=lambda: set(SCOPES))
    """What a new installation is granted."""
    events: set[str] = field(default_factory=lambda: set(EVENTS))
    """The bot events subscribed to."""
    commands: set[str] | None = None
    """The slash commands there are; None to let every one pass."""
    is_agent: bool = True

    def use_manifest(self, manifest: dict[str, Any]) -> None:
        self.scopes = set(manifest["oauth_config"]["scopes"]["bot"])
        self.events = set(manifest["settings"]["event_subscriptions"]["bot_events"])
        features = manifest["features"]
        self.commands = {command["command"] for command in features.get("slash_commands", [])}
        self.is_agent = "agent_view" in features or "assistant_view" in features


@dataclass(eq=False)
class Installation:
    """A bot token, and where it is good."""

    home: Workspace | Grid
    scopes: set[str]
    token: str = field(default_factory=lambda: f"xoxb-{secrets.token_hex(12)}")
    error: str = ""
    """Why the token is good no longer: token_revoked or account_inactive."""

    @property
    def workspaces(self) -> list[Workspace]:
        return self.home.workspaces if isinstance(self.home, Grid) else [self.home]

    @property
    def grid(self) -> Grid | None:
        return self.home if isinstance(self.home, Grid) else self.home.grid

    @property
    def org_wide(self) -> bool:
        return isinstance(self.home, Grid)

    def hears(self, event: str, app: AppSettings) -> bool:
        needed = EVENT_SCOPES.get(event)
        return not self.error and event in app.events and (not needed or needed in self.scopes)

    def channel(self, id: str) -> Channel:
        """The channel with this id (or a user's: their private conversation)."""
        for workspace in self.workspaces:
            if id in workspace.channels:
                channel = workspace.channels[id]
                if channel.kind != "group" or channel.has_bot:
                    return channel
            elif id in workspace.users:
                return workspace.direct(workspace.users[id])
        raise SlackError("channel_not_found")

    def user(self, id: str) -> User:
        for workspace in self.workspaces:
            if id in workspace.users:
                return workspace.users[id]
        raise SlackError("user_not_found")
