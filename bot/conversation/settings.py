"""Which settings are in effect at a place, and where each one comes from.

message > thread > channel > server, as set in chat; below them the configuration file's channel,
server and defaults: the file is the floor that chat overrides.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Generic, TypeVar

from bot.config import AnswerMode, ChannelConfig, Config, Effort, ServerConfig
from bot.conversation.events import Place
from bot.storage import SettingsByScope

T = TypeVar("T", covariant=True)


class SettingSource(StrEnum):
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
    """A value in effect and its origin."""

    value: T
    source: SettingSource


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
    thread_mentions: Setting[bool]
    """Whether each message in a thread has to mention the bot."""
    channel_messages: Setting[int]
    """How much of what stands above in the channel is told to the model."""
    time_zone: Setting[str]
    """In which it is told what day it is; "" for the machine's own."""

    def with_effort(self, effort: Effort | None) -> "Settings":
        """These settings for a message that asks for an effort of its own, if it does."""
        return replace(self, effort=Setting(effort, SettingSource.MESSAGE)) if effort else self

    def effective_effort(self, persona_effort: Effort | None, default: Effort) -> Setting[Effort]:
        """The effort in effect: an explicit one, else the persona's, else the default."""
        if self.effort is not None:
            return self.effort
        if persona_effort is not None:
            return Setting(persona_effort, SettingSource.PERSONA)
        return Setting(default, SettingSource.DEFAULT)


def resolve(config: Config, place: Place, stored: SettingsByScope) -> Settings:
    """The settings in effect at `place`."""
    server = config.servers.get(place.server, ServerConfig())
    channel = server.channels.get(place.channel, ChannelConfig())

    def in_chat(key: str) -> Iterator[Setting[Any]]:
        for scope in place.scopes():
            if (value := stored.get(scope, {}).get(key)) is not None:
                yield Setting(value, SettingSource(scope.kind))

    def in_file(key: str, source: SettingSource, section: object) -> Iterator[Setting[Any]]:
        if (value := getattr(section, key, None)) is not None:
            yield Setting(value, source)

    def chain(key: str) -> Iterator[Setting[Any]]:
        yield from in_chat(key)
        yield from in_file(key, SettingSource.FILE_CHANNEL, channel)
        yield from in_file(key, SettingSource.FILE_SERVER, server)

    def first(key: str, section: object = config.defaults) -> Setting[Any]:
        return next(chain(key), Setting(getattr(section, key), SettingSource.DEFAULT))

    answer, thread_mentions = first("answer"), first("thread_mentions")
    if place.platform == "slack" and thread_mentions.source is SettingSource.DEFAULT:
        always = thread_mentions.value or config.slack.thread_mentions
        thread_mentions = replace(thread_mentions, value=always)
    chat_effort = next(chain("effort"), None)
    if chat_effort is not None:
        chat_effort = Setting(Effort(chat_effort.value), chat_effort.source)
    prompt = next(in_file("system_prompt", SettingSource.FILE_CHANNEL, channel), None)
    return Settings(
        effort=chat_effort,
        persona=first("persona"),
        # The file's channel prompt stands where its channel persona would: chat overrides it.
        system_prompt=None if next(in_chat("persona"), None) else prompt,
        language=first("language"),
        show_reasoning=first("show_reasoning"),
        answer=replace(answer, value=AnswerMode(answer.value)),
        thread_mentions=thread_mentions,
        channel_messages=first("channel_messages", config.conversation),
        time_zone=first("time_zone", config.conversation),
    )
