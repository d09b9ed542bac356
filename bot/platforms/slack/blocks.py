"""The blocks of the bot's messages, and what is read back from them."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from bot.config import Effort
from bot.conversation.texts import Texts
from bot.platforms import written
from bot.platforms.buttons import Action
from bot.platforms.markdown.lines import ZERO_WIDTH_SPACE
from bot.platforms.markdown.splitting import split_markdown
from bot.platforms.markdown.style import Piece
from bot.platforms.markdown.tables import Table
from bot.platforms.slack.limits import OWN_LENGTH, SUMMARY_LENGTH, TEXT_LENGTH
from bot.platforms.slack.mrkdwn import (
    Escaped,
    is_linkable,
    plain_markdown,
    plain_text,
    plain_text_within,
)

Block = dict[str, Any]

OWN = "gptoss-own"
"""The block_id of the bot's own lines; a message with nothing else isn't part of a conversation."""
OWN_MARK = "\u2063"
"""Begins the bot's own lines in a message without blocks; invisible."""
PREFIX = "gptoss:"
"""Begins the action_id of every button."""


MOST_SOURCES = 5
TITLE_LENGTH = 60
SECTIONS = 3
"""Of a command's answer in one message: together they stay below PART_LENGTH."""
VOTE_SIGNS = {Action.UP: "👍", Action.DOWN: "👎"}


@dataclass(frozen=True)
class ButtonValue:
    """What a button knows, as its value, so that it works after a restart.

    question, thread: timestamps of the question and of the thread that it stands in.
    earlier: those of the answer's messages before the one with the button.
    call: the key of the call that they decide on, if they do.
    """

    asker: str
    question: str
    thread: str
    effort: Effort
    earlier: tuple[str, ...] = ()
    call: str = ""

    @classmethod
    def parse(cls, value: str) -> "ButtonValue":
        """Raises ValueError for what this version has not written."""
        try:
            fields = json.loads(value)
            fields.pop("vote", None)  # of 0.1.0, whose votes were other elements
            effort = Effort(fields.pop("effort"))
            return cls(effort=effort, earlier=tuple(fields.pop("earlier")), **fields)
        except (KeyError, TypeError) as error:
            raise ValueError(value) from error

    def __str__(self) -> str:
        return json.dumps(vars(self))


def markdown(text: str) -> Block:
    return {"type": "markdown", "text": plain_markdown(text)}


def answer_blocks(pieces: Sequence[Piece]) -> list[Block]:
    """A part of an answer."""
    return [markdown(piece) if isinstance(piece, str) else _table(piece) for piece in pieces]


def _table(table: Table) -> Block:
    """https://docs.slack.dev/reference/block-kit/blocks/table-block"""
    rows = [
        [{"type": "raw_text", "text": cell or ZERO_WIDTH_SPACE} for cell in row]
        for row in (table.header, *table.rows)
    ]
    settings = [{"align": alignment or "left"} for alignment in table.alignments]
    return {"type": "table", "rows": rows, "column_settings": settings}


def _table_text(block: Block) -> str:
    """A table's Markdown."""
    header, *rows = [[_cell_text(cell) for cell in row] for row in block["rows"]]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell_text(cell: dict[str, Any]) -> str:
    return str(cell.get("text", "")).strip(ZERO_WIDTH_SPACE).replace("|", "\\|")


def own_lines(lines: Sequence[str], block_id: str = OWN) -> list[Block]:
    """Small lines of the bot's own; none for none."""
    text = plain_text_within("\n".join(filter(None, lines)), TEXT_LENGTH)
    if not text:
        return []
    element = {"type": "mrkdwn", "text": text, "verbatim": True}
    return [{"type": "context", "block_id": block_id, "elements": [element]}]


def sources(links: Sequence[tuple[str, str]], heading: Callable[[str], str]) -> list[Block]:
    """The pages that an answer is made from: titles and addresses, as links.

    heading: puts the links into a line.
    """
    shown = [
        f"<{escape(url)}|{number}. {_title(title)}>"
        for number, (title, url) in enumerate(links[:MOST_SOURCES], 1)
        if is_linkable(url)
    ]
    if not shown:
        return []
    element = {"type": "mrkdwn", "text": heading(" · ".join(shown)), "verbatim": True}
    return [{"type": "context", "block_id": f"{OWN}-sources", "elements": [element]}]


def _title(title: str) -> str:
    words = " ".join(re.sub(r"[<>|*_~`]", " ", title).split())
    return plain_text(words if len(words) <= TITLE_LENGTH else f"{words[:TITLE_LENGTH]}…")


def own_text(lines: Sequence[str]) -> str:
    """The same where there are no blocks."""
    return _marked(plain_text_within("\n".join(filter(None, lines)), OWN_LENGTH))


def buttons(actions: Sequence[Action], value: ButtonValue, texts: Texts) -> list[Block]:
    """The buttons of an answer, in one row."""
    return [{"type": "actions", "elements": [_button(action, value, texts) for action in actions]}]


def _button(action: Action, value: ButtonValue, texts: Texts) -> dict[str, Any]:
    button = {
        "type": "button",
        "action_id": PREFIX + action,
        "text": _plain(VOTE_SIGNS.get(action) or texts(f"button_{action}")),
        "value": str(value),
    }
    if action is Action.DELETE:
        button["confirm"] = {
            "title": _plain(texts("delete_title")),
            "text": _plain(texts("delete_ask")),
            "confirm": _plain(texts("button_delete")),
            "deny": _plain(texts("button_keep")),
            "style": "danger",
        }
    return button


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def action_of(action_id: str) -> Action:
    """What a pressed button does. Raises ValueError for what this version has not written."""
    return Action(action_id.removeprefix(PREFIX))


def buttons_in(blocks: Sequence[Block]) -> Iterator[ButtonValue]:
    """What a message's buttons know."""
    for block in blocks:
        for element in block.get("elements", ()):
            if str(element.get("action_id", "")).startswith(PREFIX) and "value" in element:
                yield ButtonValue.parse(element["value"])


def answer_in(message: dict[str, Any]) -> str | None:
    """The Markdown of an answer in a message of the bot; None where it shows only own lines.

    Slack may give Markdown back as rich text; then the message's text has it, as mrkdwn.
    """
    blocks = message.get("blocks", ())
    written = [
        block["text"] if block["type"] == "markdown" else _table_text(block)
        for block in blocks
        if block["type"] in ("markdown", "table")
    ]
    if written:
        return "\n\n".join(written)
    own = any(block.get("block_id", "").startswith(OWN) for block in blocks)
    rich = any(block["type"] == "rich_text" for block in blocks)
    if own and not rich:
        return None
    text = str(message.get("text", ""))
    answer = "\n".join(line for line in text.split("\n") if not line.startswith(OWN_MARK))
    return answer if answer or not text else None


def may_be_foreign(message: dict[str, Any]) -> bool:
    """Whether a message of the bot shows an answer from others' words, by its own lines."""
    lines = [
        str(element.get("text", ""))
        for block in message.get("blocks", ())
        if block.get("block_id", "").startswith(OWN)
        for element in block.get("elements", ())
    ]
    text = str(message.get("text", "")).split("\n")
    lines += [line.removeprefix(OWN_MARK) for line in text if line.startswith(OWN_MARK)]
    return written.may_be_foreign(lines)


def plain_section(text: str, block_id: str | None = None) -> Block:
    """A paragraph of mrkdwn, at most TEXT_LENGTH characters."""
    block = {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}
    return block if block_id is None else block | {"block_id": block_id}


def section(text: str, block_id: str | None = None) -> Block:
    """What a command answers, as Markdown."""
    return plain_section(_mrkdwn(text), block_id)


def _mrkdwn(text: str) -> str:
    """A command's answer as mrkdwn, which writes bold text and lists its own way."""
    shown = re.sub(r"\*\*(.+?)\*\*", r"*\1*", plain_text(text))
    return re.sub(r"^- ", "• ", shown, flags=re.MULTILINE)


def own_messages(text: str) -> list[tuple[list[Block], str]]:
    """A command's answer as messages of the bot's own: blocks of each, and the same as text."""
    parts = [part.text for part in split_markdown(text, TEXT_LENGTH, Escaped())]
    groups = [parts[at : at + SECTIONS] for at in range(0, len(parts), SECTIONS)]
    return [(_own_sections(group), _marked(_mrkdwn("\n".join(group)))) for group in groups]


def own_sections(text: str) -> list[Block]:
    """All of a command's answer."""
    return _own_sections([part.text for part in split_markdown(text, TEXT_LENGTH, Escaped())])


def _own_sections(parts: Sequence[str]) -> list[Block]:
    return [section(part, f"{OWN}-{at}") for at, part in enumerate(parts)]


def _marked(text: str) -> str:
    return "\n".join(f"{OWN_MARK}{line}" for line in text.split("\n")) if text else ""


def summary(text: str) -> str:
    """What notifications show of a message with blocks."""
    return plain_text_within(text, SUMMARY_LENGTH) or "…"
