"""What was said, as a platform reads it, and as numbered lines for the model."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from bot.conversation.events import Message, Question
from bot.conversation.history import plain_name

_NUMBER = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True)
class TranscriptMessage:
    """A message with its time; `link` leads to it, `thread` names the thread it is in, if any."""

    message: Message
    at: datetime
    link: str
    thread: str = ""


@dataclass(frozen=True)
class Transcript:
    """What was said, oldest first.

    since: when it begins.
    complete: whether that is as early as was asked for.
    """

    said: Sequence[TranscriptMessage]
    since: datetime
    complete: bool = True


class UnreadableChannel(Exception):
    """Nothing can be read; the message is one line for the person."""


@dataclass(frozen=True, kw_only=True)
class CatchUp(Question):
    """The question what was said in a channel.

    read: reads it, and tells how many messages it has so far. Raises UnreadableChannel.
    jump: what the addresses of the platform's messages look like.
    when: shows a time to the person.
    zone: the person's time zone.
    """

    read: Callable[[Callable[[int], None]], Awaitable[Transcript]]
    jump: re.Pattern[str]
    when: Callable[[datetime], str]
    zone: tzinfo = UTC


def numbered(said: Sequence[TranscriptMessage], zone: tzinfo, longest: int) -> Iterator[str]:
    """Each message with its number, from 1 on, its time and its author.

    One line each, but for the lines of its own text, which are indented: no text can look like
    another message. Characters beyond `longest` are left out.
    """
    day = None
    for number, one in enumerate(said, 1):
        at = one.at.astimezone(zone)
        date, day = ("" if at.date() == day else f"{at:%Y-%m-%d} "), at.date()
        thread = f" (in the thread “{plain_name(one.thread)}”)" if one.thread else ""
        text = _NUMBER.sub(r"(\1)", _content(one.message))
        if len(text) > longest:
            text = f"{text[:longest]}… [{len(text) - longest} more characters]"
        lines = "\n    ".join(text.split("\n"))
        yield f"[{number}] {date}{at:%H:%M} {plain_name(one.message.author.name)}{thread}: {lines}"


def _content(message: Message) -> str:
    files = [f"[{a.kind}: {plain_name(a.name, 100)}]" for a in message.attachments]
    return "\n".join(filter(None, [message.text.strip(), *files]))
