"""Text as people type it, as Slack keeps it (mrkdwn with entities) and as people read it.

https://docs.slack.dev/messaging/formatting-message-text
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.doubles.slack.state import Workspace

ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
REFERENCE = re.compile(r"<(?=[@#!]|[a-z]+:)([@#!]?)([^<>|]+)(?:\|([^<>]*))?>")
BROADCASTS = ("channel", "here", "everyone")


def typed(text: str, workspace: "Workspace") -> str:
    """What Slack keeps of what a person typed: @names, #channels and links become references."""
    for plain, entity in ENTITIES.items():
        text = text.replace(plain, entity)
    named = {f"@{user.name}": user.mention for user in workspace.users.values()}
    named |= {f"@{group.name}": f"<!subteam^{group.id}>" for group in workspace.groups}
    named |= {f"#{c.name}": f"<#{c.id}|>" for c in workspace.channels.values() if c.name}
    named |= {f"@{name}": f"<!{name}>" for name in BROADCASTS}
    longest_first = sorted(map(re.escape, named), key=len, reverse=True)
    pattern = rf"(?<!\w)({'|'.join(longest_first)})\b|(https?://\S+)"
    return re.sub(pattern, lambda match: named.get(match[0]) or f"<{match[0]}>", text)


def decoded(text: str, workspace: "Workspace") -> str:
    """What people read: references by name, entities as the characters they are for."""
    return _unescaped(REFERENCE.sub(lambda match: _name(match, workspace), text))


def _name(reference: re.Match[str], workspace: "Workspace") -> str:
    sign, target, label = reference.groups()
    if sign == "@" and target in workspace.users:
        return f"@{workspace.users[target].name}"
    if sign == "#" and target in workspace.channels:
        return f"#{workspace.channels[target].name}"
    if sign == "!":
        return f"@{_group(target, workspace)}"
    return str(label or target)


def _group(target: str, workspace: "Workspace") -> str:
    """The name of a broadcast or user group."""
    id = target.removeprefix("subteam^")
    return next((group.name for group in workspace.groups if group.id == id), target)


def pings_of(text: str, workspace: "Workspace") -> set[str]:
    """Whom a text notifies: names of people, @channel, @here, @everyone and @groups."""
    found = set()
    for sign, target, _ in REFERENCE.findall(text):
        if sign == "@" and target in workspace.users:
            found.add(workspace.users[target].name)
        elif sign == "!" and (target in BROADCASTS or target.startswith("subteam^")):
            found.add(f"@{_group(target, workspace)}")
    return found


def linked_names(text: str, workspace: "Workspace") -> str:
    """`text` with its @names as references: what link_names and parse=full do."""
    named = {f"@{user.name.lower()}": user.mention for user in workspace.users.values()}
    named |= {f"@{name}": f"<!{name}>" for name in BROADCASTS}
    return re.sub(r"(?<!\w)@\w+", lambda m: named.get(m[0].lower(), m[0]), text)


def rich_text(text: str) -> list[dict[str, Any]]:
    """The block that Slack makes of what a person typed."""
    section = {"type": "rich_text_section", "elements": list(_elements(text))}
    return [{"type": "rich_text", "block_id": "typed", "elements": [section]}]


def _elements(text: str) -> Iterator[dict[str, str]]:
    end = 0
    for match in REFERENCE.finditer(text):
        if before := text[end : match.start()]:
            yield {"type": "text", "text": _unescaped(before)}
        sign, target, _ = match.groups()
        if sign == "@":
            yield {"type": "user", "user_id": target}
        elif sign == "#":
            yield {"type": "channel", "channel_id": target}
        elif sign == "!":
            yield {"type": "broadcast", "range": target}
        else:
            yield {"type": "link", "url": target}
        end = match.end()
    if rest := text[end:]:
        yield {"type": "text", "text": _unescaped(rest)}


def _unescaped(text: str) -> str:
    for plain, entity in reversed(ENTITIES.items()):
        text = text.replace(entity, plain)
    return text
