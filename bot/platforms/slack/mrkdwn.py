"""Slack's text: references and entities read as people see them, and written so that none arise.

https://docs.slack.dev/messaging/formatting-message-text
"""

import re
from collections.abc import Awaitable, Callable
from xml.sax.saxutils import escape, unescape

from bot.platforms.markdown.slack import SlackStyle
from bot.platforms.markdown.style import AsWritten

_SCHEMES = "https?|mailto|tel|ftp|slack"
_BEGIN = rf"<(?=[@#!]|(?:{_SCHEMES}):)"
REFERENCE = re.compile(
    rf"{_BEGIN}(?P<sign>[@#!]?)(?P<target>[^<>|]+)(?:\|(?P<label>[^<>]*))?>", re.IGNORECASE
)
# What Slack would take for a reference, and what it would take for an entity.
_SPECIAL = re.compile(rf"{_BEGIN}|&(?=(?:lt|gt|amp);)", re.IGNORECASE)
# What may become such as the text goes on: no longer than "<mailto:".
_UNDECIDED = re.compile(r"[<&]\S{0,6}\Z")

NameOf = Callable[[str], Awaitable[str]]


BROADCASTS = ("channel", "here", "everyone")


def is_linkable(url: str) -> bool:
    """Whether Slack writes the address as a reference."""
    return re.fullmatch(rf"(?:{_SCHEMES}):[^<>|]+", url, re.IGNORECASE) is not None


async def decoded(text: str, name_of: NameOf) -> str:
    """The text of a message as people see it.

    `name_of` gives the name for the id of a user, channel or user group.
    """
    parts: list[str] = []
    end = 0
    for match in REFERENCE.finditer(text):
        parts.append(text[end : match.start()])
        parts.append(await _shown(match, name_of))
        end = match.end()
    return unescape("".join([*parts, text[end:]]))


async def _shown(reference: re.Match[str], name_of: NameOf) -> str:
    sign, target, label = reference["sign"], reference["target"], reference["label"]
    if sign == "@":
        return f"@{label or await name_of(target)}"
    if sign == "#":
        return f"#{label or await name_of(target)}"
    if sign == "!":
        kind, _, id = target.partition("^")
        if kind == "subteam" and not label:
            return f"@{await name_of(id.partition('|')[0])}"
        return f"@{kind}" if kind in BROADCASTS or not label else label
    return target if label in (None, "", target) else f"{label} ({target})"


def plain_markdown(text: str) -> str:
    """Markdown whose text can't ping or link as Slack's references do; all else stays as it is."""
    return _SPECIAL.sub(lambda match: escape(match[0]), text)


def plain_text(text: str) -> str:
    """Text for mrkdwn in which nothing refers to anything."""
    return escape(text)


def plain_text_within(text: str, limit: int) -> str:
    """As much of `text` as has room in `limit` characters once it is escaped."""
    while len(shown := plain_text(text)) > limit:
        text = text[: len(text) - max(1, (len(shown) - limit) // 5)]
    return shown


class Escaped(AsWritten):
    """Markdown that is shown as it is written, counted with entities."""

    def size(self, text: str, begin: int, end: int) -> int:
        """See markdown.style.Style."""
        return SlackStyle().size(text, begin, end)


def stable(markdown: str) -> str:
    """As much of growing Markdown as `plain_markdown` writes alike, however it goes on."""
    undecided = _UNDECIDED.search(markdown)
    return markdown[: undecided.start()] if undecided else markdown
