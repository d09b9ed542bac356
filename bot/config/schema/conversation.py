"""Who answers what, where and how: defaults, personas, and exceptions by server and channel."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from bot.config.schema.model import Effort, SamplingConfig
from bot.config.schema.values import Language, PersonaName, Section, TimeZone

PROMPT_LENGTH = 8000
DESCRIPTION_LENGTH = 200


class Permission(StrEnum):
    """Who may do something; each platform knows its moderators and administrators."""

    EVERYONE = "everyone"
    MODERATORS = "moderators"
    ADMINS = "admins"


class AnswerMode(StrEnum):
    """Which messages in a channel are answered, and where."""

    MENTION = "mention"
    THREAD = "thread"
    ALWAYS = "always"


class AnswerBots(StrEnum):
    """Which posts of other bots are answered."""

    NONE = "none"
    MENTIONS = "mentions"


Prompt = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=PROMPT_LENGTH)
]

ChannelMessages = Annotated[int, Field(ge=0, le=100)]


class PermissionsConfig(Section):
    change_channel: Permission = Permission.MODERATORS
    """Who may change the settings of a channel in chat."""
    change_server: Permission = Permission.ADMINS
    """Who may change the settings of the whole server in chat, its personas included."""


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


class PersonaConfig(Section):
    """A named system prompt. A plain string is taken as the prompt."""

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
    channels: dict[str, ChannelConfig] = Field({})
