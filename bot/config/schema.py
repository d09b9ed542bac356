"""What the configuration file may say. Every key is optional; the defaults are here."""

import base64
import re
import shlex
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from platformdirs import user_cache_path
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    model_validator,
)

from bot.config.builtin import builtin_languages, builtin_personas

PERSONA_NAME = re.compile(r"[a-z0-9_-]{1,32}")
PROMPT_LENGTH = 8000
DESCRIPTION_LENGTH = 200
FERNET_BYTES = 32


class Effort(StrEnum):
    """How hard the model thinks, the easiest first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def harder(self) -> "Effort":
        """The next level; the highest has none."""
        levels = list(Effort)
        return levels[min(levels.index(self) + 1, len(levels) - 1)]


class Permission(StrEnum):
    """Who may do something; each platform knows its moderators and administrators."""

    EVERYONE = "everyone"
    MODERATORS = "moderators"
    ADMINS = "admins"


def _persona_name(name: str) -> str:
    if not PERSONA_NAME.fullmatch(name):
        raise ValueError("allowed: 1 to 32 of a-z, 0-9, - and _")
    return name


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not (host and colon and port.isdecimal() and 0 <= int(port) <= 65535):
        raise ValueError("allowed: HOST:PORT, such as 127.0.0.1:8000")
    return value


def _web_address(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+\S*", value):
        raise ValueError("allowed: an address that begins with http:// or https://")
    return value


def _origin(value: str) -> str:
    if not re.fullmatch(r"\*|https?://[^\s/]+", value):
        raise ValueError("allowed: * or an origin, such as https://chat.example.org")
    return value


def _database(value: str) -> str:
    if not re.fullmatch(r"\w+\+\w+://.*", value):
        raise ValueError(
            "allowed: an SQLAlchemy URL with an asynchronous driver,"
            " such as sqlite+aiosqlite:///data/bot.db"
        )
    return value


def _command_prefix(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9_-]{0,20}", value):
        raise ValueError("allowed: at most 20 of a-z, 0-9, - and _, such as bot-")
    return value


def _unless_empty(check: Callable[[str], str]) -> Callable[[str], str]:
    return lambda value: check(value) if value else value


def _folder(value: Path) -> Path:
    try:
        return value.expanduser()
    except RuntimeError as error:
        raise ValueError("allowed: a folder; ~ is the home of a user of this machine") from error


def _device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
        raise ValueError("allowed: auto, cpu, cuda, cuda:0, cuda:1, …")
    return value


def _language(value: str) -> str:
    if value not in builtin_languages():
        raise ValueError(f"allowed: {', '.join(builtin_languages())}")
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise ValueError(
            "allowed: a name such as Europe/Berlin, America/New_York or UTC"
        ) from error
    return value


def _sendable(value: SecretStr) -> SecretStr:
    """Secrets go into HTTP headers (RFC 9110, 5.5)."""
    if not re.fullmatch(r"[!-~]*", value.get_secret_value()):
        raise ValueError("allowed: letters, digits and signs of ASCII, without spaces")
    return value


def _header(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[ -~]*", value.get_secret_value()):
        raise ValueError("allowed: letters, digits, signs and spaces of ASCII")
    return value


def fernet_keys(value: str) -> list[str]:
    """Keys with commas between, in base64 of either alphabet, as Fernet takes them (base64url)."""
    return [key.strip().translate(str.maketrans("+/", "-_")) for key in value.split(",")]


def _token_keys(value: SecretStr) -> SecretStr:
    for key in fernet_keys(value.get_secret_value()) if value else []:
        try:
            right = len(base64.b64decode(key, altchars="-_", validate=True)) == FERNET_BYTES
        except ValueError:
            right = False
        if not right:
            raise ValueError(
                "allowed: 32 random bytes in base64, as `openssl rand -base64 32` makes them,"
                " and older such keys after commas"
            )
    return value


def _words(value: Any) -> Any:
    """A command as people write it is its words."""
    try:
        return shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"allowed: a command and its arguments; {error}") from error


def _mcp_name(name: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9-]{1,24}", name):
        raise ValueError("allowed: 1 to 24 letters, digits and -")
    return name


Secret = Annotated[SecretStr, AfterValidator(_sendable)]
PersonaName = Annotated[str, AfterValidator(_persona_name)]
Prompt = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=PROMPT_LENGTH)
]
Address = Annotated[str, AfterValidator(_address)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Language = Annotated[str, AfterValidator(_language)]
TimeZone = Annotated[str, AfterValidator(_unless_empty(_time_zone))]
ChannelMessages = Annotated[int, Field(ge=0, le=100)]


class Section(BaseModel):
    """Keys of the file. docs/settings.md takes what they mean from the comments in config/bot.yaml;
    those that stand there as examples only have it here.

    Sections that are left out are made by factories: an instance would have its validator built as
    soon as this file is imported.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class InferenceConfig(Section):
    url: Annotated[str, AfterValidator(_unless_empty(_web_address))] = ""
    api_key: Secret = SecretStr("")
    model: str = "smollm2-135m"
    device: Annotated[str, AfterValidator(_device)] = "auto"
    engine: Literal["auto", "gptoss", "transformers"] = "auto"
    weights: Literal["int8", "exact"] = "int8"
    listen: Address = "127.0.0.1:8000"
    cors: list[Annotated[str, AfterValidator(_origin)]] = []
    slots: int = Field(1, ge=1, le=256)
    queue_limit: int = Field(64, ge=1)
    request_timeout_seconds: float = Field(600, gt=0)
    context_tokens: int | None = Field(None, ge=256)
    models_dir: Annotated[Path, AfterValidator(_folder)] = Field(
        default_factory=lambda: user_cache_path("gptoss-bot") / "models"
    )


class DiscordConfig(Section):
    token: Secret = SecretStr("")
    api_url: WebAddress = "https://discord.com/api/v10"
    file_above_characters: int | None = Field(None, ge=2000)
    shard_count: int | None = Field(None, ge=1)
    shard_ids: list[Annotated[int, Field(ge=0)]] = []

    @model_validator(mode="after")
    def _shards_in_count(self) -> "DiscordConfig":
        if self.shard_ids and (not self.shard_count or max(self.shard_ids) >= self.shard_count):
            raise ValueError("allowed: shard_ids from 0 to shard_count - 1")
        return self


class SlackConfig(Section):
    bot_token: Secret = SecretStr("")
    app_token: Secret = SecretStr("")
    signing_secret: Secret = SecretStr("")
    client_id: str = ""
    client_secret: Secret = SecretStr("")
    token_key: Annotated[Secret, AfterValidator(_token_keys)] = SecretStr("")
    api_url: WebAddress = "https://slack.com/api/"
    listen: Annotated[str, AfterValidator(_unless_empty(_address))] = ""
    thread_mentions: bool = False
    """As defaults.thread_mentions, which holds for Discord too."""
    command_prefix: Annotated[str, AfterValidator(_command_prefix)] = "bot-"
    moderator_groups: frozenset[str] = frozenset()

    @property
    def problems(self) -> list[str]:
        """What is missing for what is set; one line each."""
        found = []
        if not self.app_token.get_secret_value() and not self.listen:
            found.append(
                "slack: set slack.app_token (Socket Mode), or slack.listen and"
                " slack.signing_secret (HTTP)"
            )
        if self.listen and not self.signing_secret.get_secret_value():
            found.append("slack.listen needs slack.signing_secret, to know who calls")
        if not self.bot_token.get_secret_value() and not self.token_key.get_secret_value():
            found.append(
                "slack.client_id needs slack.token_key, which encrypts the workspaces' tokens:"
                " make one with `openssl rand -base64 32` and keep it in SLACK_TOKEN_KEY"
            )
        return found

    @property
    def is_set(self) -> bool:
        """Whether there is Slack: one workspace's token, or the app's own id for many."""
        return bool(self.bot_token.get_secret_value() or self.client_id)


class MetricsConfig(Section):
    listen: Annotated[str, AfterValidator(_unless_empty(_address))] = ""


def _host_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", value):
        raise ValueError("allowed: a host's name without a port, such as bot.example.org")
    return value.lower()


STATUS_KEYS = ("status.listen", "status.token")
"""As messages name them."""


class StatusConfig(Section):
    """`hosts` are names besides `listen`'s under which browsers reach the page."""

    listen: Annotated[str, AfterValidator(_unless_empty(_address))] = ""
    token: Secret = SecretStr("")
    hosts: frozenset[Annotated[str, AfterValidator(_host_name)]] = frozenset()
    show_ids: bool = False


class StorageConfig(Section):
    url: Annotated[str, AfterValidator(_database)] = "sqlite+aiosqlite:///data/bot.db"
    personas_per_server: int = Field(100, ge=1)
    versions_per_persona: int = Field(50, ge=2)


class PermissionsConfig(Section):
    change_channel: Permission = Permission.MODERATORS
    """Who may change the settings of a channel in chat."""
    change_server: Permission = Permission.ADMINS
    """Who may change the settings of the whole server in chat, its personas included."""


class AnswerMode(StrEnum):
    """Which messages in a channel are answered, and where."""

    MENTION = "mention"
    THREAD = "thread"
    ALWAYS = "always"


class AnswerBots(StrEnum):
    """Which posts of other bots are answered."""

    NONE = "none"
    MENTIONS = "mentions"


class DefaultsConfig(Section):
    effort: Effort = Effort.MEDIUM
    persona: PersonaName = "default"
    language: Language = "en"
    show_reasoning: bool = False
    answer: AnswerMode = AnswerMode.MENTION
    thread_mentions: bool = False
    """Whether the bot has to be mentioned in its threads each time, or only the first time."""
    permissions: PermissionsConfig = Field(default_factory=PermissionsConfig)


class ConversationConfig(Section):
    max_messages: int = Field(500, ge=1, le=2000)
    max_tokens: int | None = Field(None, ge=256)
    channel_messages: ChannelMessages = 20
    time_zone: TimeZone = ""
    """The time zone of the dates and times that the model is told, such as Europe/Berlin."""
    attachment_max_bytes: int = Field(1 << 20, ge=0)
    attachments_max: int = Field(10, ge=0)


class ToolsConfig(Section):
    """What a model may call in one answer; `max_calls` 0: nothing."""

    max_calls: int = Field(8, ge=0, le=100)
    timeout_seconds: float = Field(30, gt=0, le=600)


class WebConfig(Section):
    """Where the web is searched; with `search` none, models can't reach it at all."""

    search: Literal["none", "searxng", "brave"] = "none"
    url: Annotated[str, AfterValidator(_unless_empty(_web_address))] = ""
    api_key: Secret = SecretStr("")
    fetch: bool = True

    @model_validator(mode="after")
    def _engine_is_reachable(self) -> "WebConfig":
        if self.search == "searxng" and not self.url:
            raise ValueError("allowed: search: searxng with the url of a SearXNG")
        if self.search == "brave" and not self.api_key.get_secret_value():
            raise ValueError("allowed: search: brave with an api_key")
        return self


Ids = frozenset[Annotated[str, Field(coerce_numbers_to_str=True)]]


class McpConfig(Section):
    """An MCP server: which of its tools may be used, by whom and where, and what needs a button.

    Where `servers`, `channels` or `roles` have entries, each kind has to be met.
    """

    url: Annotated[str, AfterValidator(_unless_empty(_web_address))] = Field(
        "", description="where it is, such as http://127.0.0.1:9000/mcp; or command"
    )
    headers: dict[str, Annotated[SecretStr, AfterValidator(_header)]] = Field(
        {}, description="with url: what each request carries"
    )
    command: Annotated[list[str], BeforeValidator(_words)] = Field(
        [], description="the program that it is, with its arguments; or url"
    )
    env: dict[str, SecretStr] = Field(
        {}, description="with command: variables that the program gets beside PATH and HOME"
    )
    allow: list[str] = Field([], description="its tools that models may call, by their names")
    approve: Literal["always", "writes", "never"] = Field(
        "writes", description="which calls need the asker's button"
    )
    servers: Ids = Field(frozenset(), description="only on these servers, if there are some")
    channels: Ids = Field(frozenset(), description="only in these channels, if there are some")
    roles: Ids = Field(frozenset(), description="only for these roles, if there are some")

    @model_validator(mode="after")
    def _one_way(self) -> "McpConfig":
        if bool(self.url) == bool(self.command):
            raise ValueError("allowed: url or command, and one of them")
        return self


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


class EffortConfig(Section):
    max_tokens: int = Field(ge=16)
    """Tokens that an answer may have, reasoning included."""


class EffortsConfig(Section):
    low: EffortConfig = Field(default_factory=partial(EffortConfig, max_tokens=512))
    medium: EffortConfig = Field(default_factory=partial(EffortConfig, max_tokens=2048))
    high: EffortConfig = Field(default_factory=partial(EffortConfig, max_tokens=8192))

    def __getitem__(self, effort: Effort) -> EffortConfig:
        level: EffortConfig = getattr(self, effort)
        return level


class SamplingConfig(Section):
    temperature: float | None = Field(None, ge=0, le=2)
    """0 always takes the likeliest token. Empty, as with the next two: what the makers say."""
    top_p: float | None = Field(None, gt=0, le=1)
    """Only the likeliest tokens that together have this probability are drawn from."""
    min_p: float | None = Field(None, ge=0, le=1)
    """Only tokens with at least this share of the likeliest one's probability are drawn from."""


class PersonaConfig(Section):
    """A system prompt under a name. A plain text stands for the prompt alone."""

    prompt: Prompt
    """The system prompt, at most 8000 characters. `NAME: text` sets only this."""
    description: str = Field("", max_length=DESCRIPTION_LENGTH)
    """What people see beside the name, at most 200 characters."""
    effort: Effort | None = None
    """Where no effort is set in chat or for the channel or server."""
    sampling: SamplingConfig | None = None
    suggestions: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field([], max_length=4)
    """Up to four questions that Slack's agent pane proposes."""

    @model_validator(mode="before")
    @classmethod
    def _prompt_alone(cls, value: Any) -> Any:
        return {"prompt": value} if isinstance(value, str) else value


class ChannelConfig(Section):
    system_prompt: Prompt | None = None
    """In place of a persona's."""
    persona: PersonaName | None = None
    """Who answers in this channel."""
    effort: Effort | None = None
    """How hard the model thinks in this channel."""
    answer: AnswerMode | None = None
    """Which messages of this channel are answered."""
    thread_mentions: bool | None = None
    """Whether the bot has to be mentioned in its threads each time in this channel."""
    channel_messages: ChannelMessages | None = None
    """How many messages above a question are told to the model in this channel."""
    time_zone: TimeZone | None = None
    """The time zone of dates and times in this channel."""

    @model_validator(mode="after")
    def _one_prompt(self) -> "ChannelConfig":
        if self.system_prompt is not None and self.persona is not None:
            raise ValueError("allowed: system_prompt or persona, not both")
        return self


class ServerConfig(Section):
    persona: PersonaName | None = None
    """Who answers on this server."""
    effort: Effort | None = None
    """How hard the model thinks on this server."""
    language: Language | None = None
    """The language of the bot's own messages on this server."""
    answer: AnswerMode | None = None
    """Which messages on this server are answered."""
    thread_mentions: bool | None = None
    """Whether the bot has to be mentioned in its threads each time on this server."""
    channel_messages: ChannelMessages | None = None
    """How many messages above a question are told to the model on this server."""
    time_zone: TimeZone | None = None
    """The time zone of dates and times on this server."""
    answer_bots: AnswerBots = AnswerBots.NONE
    """Whether other bots that mention the bot are answered, once until a person speaks."""
    permissions: PermissionsConfig | None = None
    weight: float = Field(1, ge=0.01, le=100)
    """Of two servers that wait, one of weight 2 gets twice the tokens."""
    channels: dict[str, ChannelConfig] = {}


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
    servers: dict[str, ServerConfig] = {}
    conversation: ConversationConfig = Field(default_factory=ConversationConfig)
    tools: ToolsConfig = Field(default_factory=ToolsConfig)
    web: WebConfig = Field(default_factory=WebConfig)
    mcp: dict[Annotated[str, AfterValidator(_mcp_name)], McpConfig] = {}
    access: AccessConfig = Field(default_factory=AccessConfig)
    quotas: QuotasConfig = Field(default_factory=QuotasConfig)
    texts: dict[str, str] = {}
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
