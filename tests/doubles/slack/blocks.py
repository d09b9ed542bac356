"""Block Kit: what Slack refuses, and what people see of blocks.

https://docs.slack.dev/reference/block-kit/blocks
"""

from collections.abc import Iterator
from typing import Any

from tests.doubles.slack.errors import SlackError, invalid
from tests.doubles.slack.limits import (
    ACTIONS,
    ALL_BLOCKS,
    BLOCKS,
    BUTTON_TEXT,
    BUTTON_VALUE,
    CONFIRM,
    CONTEXT,
    CONTEXT_ACTIONS,
    FIELD,
    FIELDS,
    HEADER,
    IDENTIFIER,
    MARKDOWN,
    OPTION_TEXT,
    OPTIONS,
    SECTION,
    TABLE_COLUMNS,
    TABLE_ROWS,
)

Block = dict[str, Any]
ELEMENTS = {"actions": ACTIONS, "context": CONTEXT, "context_actions": CONTEXT_ACTIONS}
"""How many elements a block of this type has at most."""
NEEDED = {
    "actions": ("elements",),
    "context": ("elements",),
    "context_actions": ("elements",),
    "divider": (),
    "header": ("text",),
    "image": ("alt_text",),
    "input": ("label", "element"),
    "markdown": ("text",),
    "plan": ("title",),
    "rich_text": ("elements",),
    "section": (),
    "table": ("rows",),
    "task_card": ("task_id", "title"),
}
"""The types there are, and what each can't do without."""
REFERENCES = {"user": "<@{user_id}>", "usergroup": "<!subteam^{usergroup_id}>"}
REFERENCES |= {"broadcast": "<!{range}>", "channel": "<#{channel_id}>"}
"""Elements of rich text, as they are written in mrkdwn."""


def check_blocks(blocks: list[Block], most: int = BLOCKS) -> None:
    """Refuse what Slack refuses."""
    check = _Check("/blocks")
    check.at_most(blocks, most, "")
    for at, block in enumerate(blocks):
        check.block(block, f"/{at}")
    ids = [block["block_id"] for block in blocks if block.get("block_id")]
    check.that(len(ids) == len(set(ids)), "block_id must be unique", "")
    if [block["type"] for block in blocks].count("table") > 1:
        raise SlackError("only_one_table_allowed")
    markdown = [block["text"] for block in blocks if block["type"] == "markdown"]
    if len("".join(markdown)) > MARKDOWN or (
        most == BLOCKS and len("".join(texts_of(blocks))) > ALL_BLOCKS
    ):
        raise SlackError("msg_blocks_too_long")


class _Check:
    """Refuses parts of `where` that are wrong."""

    def __init__(self, where: str) -> None:
        self.where = where

    def that(self, right: bool, rule: str, pointer: str) -> None:
        if not right:
            raise invalid("invalid_blocks", rule, self.where + pointer)

    def at_most(self, items: list[Any], most: int, pointer: str) -> None:
        self.that(len(items) <= most, f"no more than {most} items allowed", pointer)

    def text(self, text: Any, most: int, pointer: str, *, plain: bool = False) -> None:
        kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
        right = isinstance(text, dict) and text.get("type") in kinds
        self.that(right, f"must be a {' or '.join(kinds)} object", pointer)
        self.that(bool(text.get("text")), "must be more than 0 characters", f"{pointer}/text")
        self.short(text["text"], most, f"{pointer}/text")

    def short(self, text: str, most: int, pointer: str) -> None:
        self.that(len(text) <= most, f"must be less than {most + 1} characters", pointer)

    def block(self, block: Block, pointer: str) -> None:
        kind = block.get("type", "")
        self.that(kind in NEEDED, f"unsupported type: {kind}", f"{pointer}/type")
        for name in NEEDED[kind]:
            self.that(bool(block.get(name)), f"missing required field: {name}", pointer)
        self.short(block.get("block_id") or "", IDENTIFIER, f"{pointer}/block_id")
        if kind == "section":
            self.that("text" in block or "fields" in block, "missing required field", pointer)
            if "text" in block:
                self.text(block["text"], SECTION, f"{pointer}/text")
            self.at_most(block.get("fields", []), FIELDS, f"{pointer}/fields")
            for at, field in enumerate(block.get("fields", [])):
                self.text(field, FIELD, f"{pointer}/fields/{at}")
        elif kind == "header":
            self.text(block["text"], HEADER, f"{pointer}/text", plain=True)
        elif kind == "table":
            self.at_most(block["rows"], TABLE_ROWS, f"{pointer}/rows")
            for at, row in enumerate(block["rows"]):
                self.at_most(row, TABLE_COLUMNS, f"{pointer}/rows/{at}")
        elif kind in ELEMENTS:
            self.at_most(block["elements"], ELEMENTS[kind], f"{pointer}/elements")
        elements = interactive(block)
        for element in elements:
            self.element(element, pointer)
        ids = [element["action_id"] for element in elements if element.get("action_id")]
        self.that(len(ids) == len(set(ids)), "action_id must be unique in a block", pointer)

    def element(self, element: Block, pointer: str) -> None:
        self.short(element.get("action_id") or "", IDENTIFIER, f"{pointer}/action_id")
        if element["type"] == "button":
            self.text(element.get("text"), BUTTON_TEXT, f"{pointer}/text", plain=True)
            self.short(element.get("value") or "", BUTTON_VALUE, f"{pointer}/value")
        for part, most in CONFIRM.items() if "confirm" in element else ():
            self.text(element["confirm"].get(part), most, f"{pointer}/confirm/{part}")
        if "options" in element:
            self.that(bool(element["options"]), "must have at least 1 option", pointer)
            self.at_most(element["options"], OPTIONS, f"{pointer}/options")
            for option in element["options"]:
                self.text(option["text"], OPTION_TEXT, f"{pointer}/options")


def interactive(block: Block) -> list[Block]:
    """The elements of a block that people can use."""
    elements = [block.get("accessory"), block.get("element")]
    if block["type"] in ("actions", "context_actions"):
        elements += block["elements"]
    return [element for element in elements if element and element["type"] != "image"]


def buttons_of(blocks: list[Block]) -> dict[str, tuple[Block, Block]]:
    """Buttons by label: the block and the action that a click makes."""
    found = {}
    for block in blocks:
        for element in interactive(block):
            base = {"type": element["type"], "action_id": element.get("action_id", "")}
            if element["type"] == "feedback_buttons":
                for name in ("positive_button", "negative_button"):
                    button = element[name]
                    found[button["text"]["text"]] = (block, base | {"value": button["value"]})
            elif element["type"] == "button":
                more = {key: element[key] for key in ("text", "value", "style") if key in element}
                found[element["text"]["text"]] = (block, base | more)
            elif element["type"] == "icon_button":
                found[element["text"]["text"]] = (block, base | {"value": element.get("value")})
    return found


def text_of(blocks: list[Block], *, only_parsed: bool = False) -> str:
    return "\n".join(texts_of(blocks, only_parsed=only_parsed))


def texts_of(blocks: Any, *, only_parsed: bool = False) -> Iterator[str]:
    """The texts in blocks; `only_parsed` leaves out those in which nothing can ping."""
    if isinstance(blocks, list):
        for block in blocks:
            if not _is_control(block):
                yield from texts_of(block, only_parsed=only_parsed)
    elif isinstance(blocks, dict):
        kind, text = blocks.get("type"), blocks.get("text")
        if kind in REFERENCES:
            yield REFERENCES[kind].format_map(blocks)
        elif isinstance(text, str) and not (only_parsed and kind in ("plain_text", "text")):
            yield text
        for name in ("text", "title", "details", "output", "fields", "elements", "rows"):
            if isinstance(blocks.get(name), dict | list):
                yield from texts_of(blocks[name], only_parsed=only_parsed)


def _is_control(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") in (
        *("actions", "context_actions", "button", "static_select", "feedback_buttons"),
    )
