"""The configuration: config/bot.yaml, its schema, its errors and its reload."""

from bot.config.builtin import builtin_config_dir, builtin_texts
from bot.config.document import ConfigError
from bot.config.loading import check_persona, load_config
from bot.config.reloading import Change, reload, watch
from bot.config.schema import (
    ChannelConfig,
    Config,
    Effort,
    Permission,
    PermissionsConfig,
    PersonaConfig,
    SamplingConfig,
    ServerConfig,
)

__all__ = [
    "Change",
    "ChannelConfig",
    "Config",
    "ConfigError",
    "Effort",
    "Permission",
    "PermissionsConfig",
    "PersonaConfig",
    "SamplingConfig",
    "ServerConfig",
    "builtin_config_dir",
    "builtin_texts",
    "check_persona",
    "load_config",
    "reload",
    "watch",
]
