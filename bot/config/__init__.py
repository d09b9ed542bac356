"""The configuration: config/bot.yaml, its schema, its errors and its reload."""

from bot.config.builtin import Text, builtin_config_dir, builtin_languages, builtin_texts
from bot.config.environment import read_dotenv, write_dotenv
from bot.config.errors import ConfigError
from bot.config.loading import check_persona, find_config, load_config
from bot.config.reloading import Change, reload, watch
from bot.config.schema import (
    STATUS_KEYS,
    AccessConfig,
    AccessList,
    AnswerBots,
    AnswerMode,
    ChannelConfig,
    Config,
    DiscordConfig,
    Effort,
    Permission,
    PermissionsConfig,
    PersonaConfig,
    QuotaConfig,
    SamplingConfig,
    ServerConfig,
    SlackConfig,
    StatusConfig,
    ToolsConfig,
    fernet_keys,
)

__all__ = [
    "STATUS_KEYS",
    "AccessConfig",
    "AccessList",
    "AnswerBots",
    "AnswerMode",
    "Change",
    "ChannelConfig",
    "Config",
    "ConfigError",
    "DiscordConfig",
    "Effort",
    "Permission",
    "PermissionsConfig",
    "PersonaConfig",
    "QuotaConfig",
    "SamplingConfig",
    "ServerConfig",
    "SlackConfig",
    "StatusConfig",
    "Text",
    "ToolsConfig",
    "builtin_config_dir",
    "builtin_languages",
    "builtin_texts",
    "check_persona",
    "fernet_keys",
    "find_config",
    "load_config",
    "read_dotenv",
    "reload",
    "watch",
    "write_dotenv",
]
