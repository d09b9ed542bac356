"""What a message on Discord says, as text: all that people see of it but its files.

https://docs.discord.com/developers/resources/message
"""

from __future__ import annotations  # some of discord.py's types exist only for checkers

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import discord

from bot.platforms.quoting import quoted

# https://docs.discord.com/developers/reference#message-formatting
_TOKEN = re.compile(
    r"<(?:(?P<sign>@!?|@&|#)(?P<id>\d+)"
    r"|a?(?P<emoji>:\w+:)\d+"
    r"|t:(?P<seconds>-?\d{1,12})(?::\w)?"
    r"|(?P<command>/[^:<>]+):\d+)>"
)
Said = discord.Message | discord.MessageSnapshot
"""A message, or what was forwarded of one."""


def has_more_than_text(message: discord.Message) -> bool:
    """Whether there is anything to read beside what was typed; files count."""
    seen = (message.attachments, message.embeds, message.stickers, message.components)
    return any((*seen, message.poll, message.message_snapshots))


def typed(message: discord.Message, me: discord.ClientUser) -> str:
    """What the author typed, with names for mentions, and without those of the bot."""
    return named(message.content, message, me).strip()


def words(message: discord.Message, me: discord.ClientUser) -> str:
    """All that the message says: forwarded, typed, in embeds, a poll, stickers and components.

    What it forwards comes first, as the words beside that are about it.
    """
    return _joined(named(part, message, me) for part in _parts(message))


def named(text: str, message: discord.Message, me: discord.ClientUser) -> str:
    """The text with the names of people, roles, channels and emoji in place of their tokens.

    Only the bot's own mentions go; an address that has the bot's name in it stays whole.
    """

    def name(token: re.Match[str]) -> str:
        if token["emoji"] or token["command"]:
            return token["emoji"] or token["command"]
        if token["seconds"]:
            return _date(int(token["seconds"]))
        id = int(token["id"])
        match token["sign"]:
            case "#":
                return f"#{_channel(id, message)}"
            case "@&":
                return f"@{_role(id, message)}"
            case _:
                return "" if id == me.id else f"@{_person(id, message)}"

    return _TOKEN.sub(name, text)


def _parts(said: Said) -> Iterator[str]:
    if isinstance(said, discord.Message):
        for snapshot in said.message_snapshots:
            yield quoted("forwarded message", _joined(_parts(snapshot)))
    yield said.content
    if isinstance(said, discord.Message) and said.poll is not None:
        yield _poll(said.poll)
    for embed in said.embeds:
        yield _embed(embed)
    yield "\n".join(_component_texts(said.components))
    for sticker in said.stickers:
        yield f"[sticker: {sticker.name}]"


def _joined(parts: Iterator[str]) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _embed(embed: discord.Embed) -> str:
    title = f"{embed.title or ''} {embed.url or ''}".strip()
    fields = [f"{field.name}: {field.value}" for field in embed.fields]
    lines = (embed.author.name, title, embed.description, *fields, embed.footer.text)
    return "\n".join(line for line in lines if line)


def _poll(poll: discord.Poll) -> str:
    """Its question and answers, with the votes where there are any."""
    lines = [f"[poll: {poll.question}]"]
    for answer in poll.answers:
        count = answer.vote_count
        votes = f": {count} vote{'' if count == 1 else 's'}" if poll.total_votes else ""
        lines.append(f"- {answer.text or answer.emoji or ''}{votes}")
    return "\n".join(lines)


def _component_texts(components: Sequence[object]) -> Iterator[str]:
    for component in components:
        match component:
            case discord.components.TextDisplay():
                yield component.content
            case discord.SectionComponent():
                yield from _component_texts([*component.children, component.accessory])
            case discord.ActionRow() | discord.Container():
                yield from _component_texts(component.children)
            case discord.Button() if component.label:
                yield f"[button: {component.label}]"
            case discord.MediaGalleryComponent():
                for item in component.items:
                    yield f"[picture: {item.description or 'without a description'}]"
            case discord.FileComponent():
                yield f"[file: {component.name or 'unnamed'}]"


def _person(id: int, message: discord.Message) -> str:
    known = discord.utils.get(message.mentions, id=id)
    known = known or (message.guild.get_member(id) if message.guild else None)
    return known.display_name if known else "unknown-user"


def _role(id: int, message: discord.Message) -> str:
    role = message.guild.get_role(id) if message.guild else None
    return role.name if role else "unknown-role"


def _channel(id: int, message: discord.Message) -> str:
    channel = message.guild.get_channel_or_thread(id) if message.guild else None
    return channel.name if channel else "unknown-channel"


def _date(seconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return "unknown date"
