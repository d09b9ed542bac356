"""What an operator needs: the database, metrics and the status page."""

from pydantic import Field, SecretStr

from bot.config.schema.values import DatabaseUrl, HostName, OptionalAddress, Secret, Section


class StorageConfig(Section):
    url: DatabaseUrl = "sqlite+aiosqlite:///data/bot.db"
    personas_per_server: int = Field(100, ge=1)
    versions_per_persona: int = Field(50, ge=2)


class MetricsConfig(Section):
    listen: OptionalAddress = ""


STATUS_KEYS = ("status.listen", "status.token")
"""As messages name them."""


class StatusConfig(Section):
    """`hosts` are names besides `listen`'s under which browsers reach the page."""

    listen: OptionalAddress = ""
    token: Secret = SecretStr("")
    hosts: frozenset[HostName] = frozenset()
    show_ids: bool = False
