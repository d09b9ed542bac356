"""The configuration: config/bot.yaml, its schema, its errors and its reload."""

from bot.config.builtin import Text, builtin_config_dir, builtin_languages, builtin_texts
from bot.config.config_file import check_persona, find_config, load_config
from bot.config.environment import read_dotenv, write_dotenv
from bot.config.errors import ConfigError
from bot.config.reloading import ConfigChange, reload, watch
from bot.config.schema import Config
from bot.config.schema.access import AccessConfig, AccessList, QuotaConfig
from bot.config.schema.conversation import (
    DESCRIPTION_LENGTH,
    PROMPT_LENGTH,
    AnswerBots,
    AnswerMode,
    ChannelConfig,
    Permission,
    PermissionsConfig,
    PersonaConfig,
    ServerConfig,
)
from bot.config.schema.model import Effort, InferenceConfig, SamplingConfig
from bot.config.schema.operation import STATUS_KEYS, StatusConfig
from bot.config.schema.platforms import DiscordConfig, SlackConfig
from bot.config.schema.tools import McpConfig, ToolsConfig, WebConfig
from bot.config.schema.values import fernet_keys

__all__ = [
    "DESCRIPTION_LENGTH",
    "PROMPT_LENGTH",
    "STATUS_KEYS",
    "AccessConfig",
    "AccessList",
    "AnswerBots",
    "AnswerMode",
    "ChannelConfig",
    "Config",
    "ConfigChange",
    "ConfigError",
    "DiscordConfig",
    "Effort",
    "InferenceConfig",
    "McpConfig",
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
    "WebConfig",
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
