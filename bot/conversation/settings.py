"""Which settings are in force at a place, and where each one comes from.

message > thread > channel > server, as set in chat; below them the configuration file's channel,
server and defaults: the file is the floor that chat overrides.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from bot.config import AnswerMode, ChannelConfig, Config, Effort, ServerConfig
from bot.conversation.events import Place
from bot.storage import ScopeKey

T = TypeVar("T", covariant=True)

Stored = Mapping[ScopeKey, Mapping[str, Any]]
"""What was set in chat: the values by scope and key."""


class Source(StrEnum):
    """Where a value comes from, the strongest first."""

    MESSAGE = "message"
    THREAD = "thread"
    CHANNEL = "channel"
    SERVER = "server"
    FILE_CHANNEL = "file_channel"
    FILE_SERVER = "file_server"
    PERSONA = "persona"
    DEFAULT = "default"


@dataclass(frozen=True)
class Setting(Generic[T]):
    """A value in force and its origin."""

    value: T
    source: Source


@dataclass(frozen=True)
class Settings:
    """Everything that an answer at one place depends on."""

    effort: Setting[Effort] | None
    """None: nobody set one, so the persona's or the default holds (`effective_effort`)."""
    persona: Setting[str]
    system_prompt: Setting[str] | None
    """A channel's own prompt from the file, instead of a persona's."""
    language: Setting[str]
    show_reasoning: Setting[bool]
    answer: Setting[AnswerMode]

    def effective_effort(self, persona_effort: Effort | None, default: Effort) -> Setting[Effort]:
        """The effort in force: an explicit one, else the persona's, else the default."""
        if self.effort is not None:
            return self.effort
        if persona_effort is not None:
            return Setting(persona_effort, Source.PERSONA)
        return Setting(default, Source.DEFAULT)


def resolve(config: Config, place: Place, stored: Stored, effort: Effort | None = None) -> Settings:
    """The settings in force at `place`; `effort` is the message's own, if it has one."""
    server = config.servers.get(place.server, ServerConfig())
    channel = server.channels.get(place.channel, ChannelConfig())

    def in_chat(key: str) -> Iterator[Setting[Any]]:
        for scope in place.scopes():
            if (value := stored.get(scope, {}).get(key)) is not None:
                yield Setting(value, Source(scope.kind))

    def in_file(key: str, source: Source, section: object) -> Iterator[Setting[Any]]:
        if (value := getattr(section, key, None)) is not None:
            yield Setting(value, source)

    def chain(key: str) -> Iterator[Setting[Any]]:
        yield from in_chat(key)
        yield from in_file(key, Source.FILE_CHANNEL, channel)
        yield from in_file(key, Source.FILE_SERVER, server)

    def first(key: str) -> Setting[Any]:
        return next(chain(key), Setting(getattr(config.defaults, key), Source.DEFAULT))

    message_effort = None if effort is None else Setting(effort, Source.MESSAGE)
    chat_effort = next(chain("effort"), None)
    if chat_effort is not None:
        chat_effort = Setting(Effort(chat_effort.value), chat_effort.source)
    prompt = next(in_file("system_prompt", Source.FILE_CHANNEL, channel), None)
    return Settings(
        effort=message_effort or chat_effort,
        persona=first("persona"),
        # The file's channel prompt stands where its channel persona would: chat overrides it.
        system_prompt=None if next(in_chat("persona"), None) else prompt,
        language=first("language"),
        show_reasoning=first("show_reasoning"),
        answer=first("answer"),
    )
