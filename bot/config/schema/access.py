"""Who may ask, and how much."""

from pydantic import Field

from bot.config.schema.values import Ids, Section


class AccessList(Section):
    """Ids of the platforms, by what they are ids of."""

    servers: Ids = frozenset()
    """Ids of servers (Slack: workspaces)."""
    channels: Ids = frozenset()
    """Ids of channels; a thread is its channel."""
    categories: Ids = frozenset()
    """Ids of Discord's categories, for all channels in them."""
    roles: Ids = frozenset()
    """Ids of Discord's roles."""
    users: Ids = frozenset()
    """Ids of people."""


class AccessConfig(Section):
    """Who may ask where. What is blocked is blocked, also where it is allowed."""

    allow: AccessList = Field(default_factory=AccessList)
    block: AccessList = Field(default_factory=AccessList)
    direct_messages: bool = True


class QuotaConfig(Section):
    """What may be used within a window; None: as much as one likes."""

    requests: int | None = Field(None, ge=1)
    """Questions in a window. Empty: as many as one likes."""
    tokens: int | None = Field(None, ge=1)
    """Tokens of prompts and answers in a window. Empty: as many as one likes."""


class QuotasConfig(Section):
    """Windows follow each other from midnight UTC on."""

    window_hours: int = Field(24, ge=1, le=24)
    user: QuotaConfig = Field(default_factory=QuotaConfig)
    server: QuotaConfig = Field(default_factory=QuotaConfig)
