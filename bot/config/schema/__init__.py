"""What the configuration file may say. Every key is optional; the defaults are here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr

from bot.config.builtin import builtin_personas
from bot.config.schema.access import AccessConfig, QuotasConfig
from bot.config.schema.conversation import (
    ConversationConfig,
    DefaultsConfig,
    PersonaConfig,
    ServerConfig,
)
from bot.config.schema.model import EffortsConfig, InferenceConfig
from bot.config.schema.operation import MetricsConfig, StatusConfig, StorageConfig
from bot.config.schema.platforms import DiscordConfig, SlackConfig
from bot.config.schema.tools import McpConfig, ToolsConfig, WebConfig
from bot.config.schema.values import McpName, PersonaName, Section


def _with_builtin_personas(personas: Any) -> Any:
    return {**builtin_personas(), **personas} if isinstance(personas, Mapping) else personas


class Config(Section):
    """The whole file. `path` is None where the built-in defaults hold."""

    inference: InferenceConfig = Field(default_factory=InferenceConfig)
    defaults: DefaultsConfig = Field(default_factory=DefaultsConfig)
    efforts: EffortsConfig = Field(default_factory=EffortsConfig)
    personas: Annotated[
        dict[PersonaName, PersonaConfig], BeforeValidator(_with_builtin_personas)
    ] = Field({}, validate_default=True)
    servers: dict[str, ServerConfig] = Field({})
    conversation: ConversationConfig = Field(default_factory=ConversationConfig)
    tools: ToolsConfig = Field(default_factory=ToolsConfig)
    web: WebConfig = Field(default_factory=WebConfig)
    mcp: dict[McpName, McpConfig] = Field({})
    access: AccessConfig = Field(default_factory=AccessConfig)
    quotas: QuotasConfig = Field(default_factory=QuotasConfig)
    texts: dict[str, str] = Field({})
    discord: DiscordConfig = Field(default_factory=DiscordConfig)
    slack: SlackConfig = Field(default_factory=SlackConfig)
    storage: StorageConfig = Field(default_factory=StorageConfig)
    metrics: MetricsConfig = Field(default_factory=MetricsConfig)
    status: StatusConfig = Field(default_factory=StatusConfig)

    _path: Path | None = PrivateAttr(None)
    _origins: dict[str, str] = PrivateAttr({})

    @property
    def path(self) -> Path | None:
        return self._path

    @property
    def origins(self) -> dict[str, str]:
        """Dotted key → from where its value came, of those that a variable gave."""
        return self._origins
