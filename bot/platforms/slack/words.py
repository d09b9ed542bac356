"""What a message on Slack says, in Slack's own markup: its text or blocks, and what is attached.

https://docs.slack.dev/reference/block-kit/blocks,
https://docs.slack.dev/messaging/formatting-message-text
"""

from collections.abc import Iterator, Sequence
from typing import Any
from xml.sax.saxutils import escape

from bot.platforms.quoting import quoted
from bot.platforms.slack.mrkdwn import is_linkable

Payload = dict[str, Any]

_STYLES = {"code": "`", "strike": "~", "italic": "_", "bold": "*"}
_LOST_PREVIEW = "[no preview available]"


def words(message: Payload) -> str:
    """All that people see of the message but its files, with references and entities.

    What it forwards comes first, as the words beside that are about it. Where a message has text
    and blocks, people see the blocks.
    """
    typed = _joined(_blocks(_all(message, "blocks"))) or str(message.get("text") or "")
    attached = _all(message, "attachments")
    forwarded = [_attachment(one) for one in attached if one.get("is_share")]
    others = [_attachment(one) for one in attached if not one.get("is_share")]
    return _joined([*forwarded, typed, *others])


def attached_files(message: Payload) -> Iterator[Payload]:
    """The files of the message and of what it forwards."""
    yield from _all(message, "files")
    for attachment in _all(message, "attachments"):
        yield from _all(attachment, "files")


def _all(parent: Payload, key: str) -> list[Payload]:
    """The objects in a list of `parent`; apps write what they like, and none may cost an answer."""
    found = parent.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _joined(parts: Sequence[str] | Iterator[str], between: str = "\n\n") -> str:
    return between.join(part for part in map(str.strip, parts) if part)


def _attachment(attachment: Payload) -> str:
    """A forwarded message, a link's preview, or what an app attached."""
    blocks = _all(attachment, "blocks")
    for shared in _all(attachment, "message_blocks"):
        if isinstance(message := shared.get("message"), dict):
            blocks += _all(message, "blocks")
    body = _joined(_blocks(blocks)) or str(attachment.get("text") or "")
    author = str(attachment.get("author_name") or "")
    if attachment.get("is_share"):
        mark = f"forwarded message of {author}" if author else "forwarded message"
        return quoted(mark, body or _fallback(attachment))
    title = _linked(attachment.get("title_link"), attachment.get("title"))
    fields = [f"{f.get('title', '')}: {f.get('value', '')}" for f in _all(attachment, "fields")]
    lines = [str(attachment.get("pretext") or ""), author, title, body, *fields]
    text = _joined([*lines, str(attachment.get("footer") or "")], "\n") or _fallback(attachment)
    return quoted("preview of a link", text) if attachment.get("is_msg_unfurl") else text


def _fallback(attachment: Payload) -> str:
    fallback = str(attachment.get("fallback") or "")
    return "" if fallback == _LOST_PREVIEW else fallback


def _blocks(blocks: Sequence[Payload]) -> Iterator[str]:
    for block in blocks:
        match block.get("type"):
            case "rich_text":
                yield _rich_text(block)
            case "section":
                fields = [_text(field) for field in _all(block, "fields")]
                yield _joined([_text(block.get("text")), *fields], "\n")
            case "header" | "markdown":
                yield _text(block.get("text"))
            case "context":
                yield _joined([_text(element) for element in _all(block, "elements")], " ")
            case "table":
                yield _table(block.get("rows"))
            case "image" | "video":
                kind = "picture" if block["type"] == "image" else "video"
                title = _text(block.get("title")) or escape(str(block.get("alt_text") or ""))
                yield f"[{kind}: {title or 'untitled'}]"


def _text(composed: object) -> str:
    """A text object, an image in a line, or a markdown block's text."""
    if not isinstance(composed, dict):
        return str(composed or "")
    if composed.get("type") == "image":
        return f"[picture: {escape(str(composed.get('alt_text') or 'untitled'))}]"
    text = str(composed.get("text") or "")
    return text if composed.get("type") == "mrkdwn" else escape(text)


def _table(rows: object) -> str:
    """As Markdown; the first row is the head."""
    rows = [row for row in rows if isinstance(row, list)] if isinstance(rows, list) else []
    lines = ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    if lines:
        lines.insert(1, "|" + " --- |" * len(rows[0]))
    return "\n".join(lines)


def _cell(cell: object) -> str:
    if isinstance(cell, dict) and cell.get("type") == "rich_text":
        return " ".join(_rich_text(cell).split())
    text = _text(cell)
    return " ".join(text.split())


def _rich_text(block: Payload) -> str:
    """Paragraphs, lists, quotations and code: each ends its line itself, or is a block."""
    parts: list[str] = []
    counts: dict[int, int] = {}
    for part in _all(block, "elements"):
        text = _inline(part)
        match part.get("type"):
            case "rich_text_list":
                parts.append(_list(part, counts))
                continue
            case "rich_text_quote":
                parts.append("\n".join(f"&gt; {line}" for line in text.splitlines()))
            case "rich_text_preformatted":
                parts.append(f"```\n{text}\n```")
            case _:
                parts.append(text.strip("\n"))
        counts.clear()
    return "\n".join(parts)


def _list(part: Payload, counts: dict[int, int]) -> str:
    """`counts`: items so far at each depth, as a list with an inner one comes in several parts."""
    depth = _number(part, "indent")
    for deeper in [known for known in counts if known > depth]:
        del counts[deeper]
    lines = []
    for item in _all(part, "elements"):
        counts[depth] = counts.get(depth, _number(part, "offset")) + 1
        mark = f"{counts[depth]}." if part.get("style") == "ordered" else "-"
        lines.append(f"{'    ' * depth}{mark} {_inline(item)}")
    return "\n".join(lines)


def _number(part: Payload, key: str) -> int:
    value = part.get(key)
    return value if isinstance(value, int) and 0 <= value < 10_000 else 0


def _inline(part: Payload) -> str:
    return "".join(_styled(_element(e), e.get("style")) for e in _all(part, "elements"))


def _styled(text: str, style: object) -> str:
    if text != text.strip() or not text or not isinstance(style, dict):
        return text  # a mark beside a space would be no mark
    for name, mark in _STYLES.items():
        if style.get(name):
            text = f"{mark}{text}{mark}"
    return text


def _element(element: Payload) -> str:
    match element.get("type"):
        case "user":
            return f"<@{element.get('user_id')}>"
        case "channel":
            return f"<#{element.get('channel_id')}>"
        case "usergroup":
            return f"<!subteam^{element.get('usergroup_id')}>"
        case "team":
            return "@workspace"
        case "broadcast":
            return f"<!{element.get('range')}>"
        case "emoji":
            return f":{element.get('name')}:"
        case "link":
            return _linked(element.get("url"), element.get("text"))
        case "date":
            return escape(str(element.get("fallback") or element.get("timestamp") or ""))
        case _:
            return escape(str(element.get("text") or element.get("value") or ""))


def _linked(address: object, label: object) -> str:
    """A link with its address, as a reference where Slack has one of that kind."""
    url, shown = str(address or ""), escape(str(label or ""))
    if not url:
        return shown
    if is_linkable(url):
        return f"<{url}|{shown.replace('|', ' ')}>" if shown else f"<{url}>"
    return f"{shown} ({escape(url)})" if shown else escape(url)
