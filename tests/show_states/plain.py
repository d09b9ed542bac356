"""A state as text: what is written, and the buttons under it in brackets, a row a line."""

from collections.abc import Iterator
from html import unescape
from typing import Any

from tests.doubles.discord.state import ACTION_ROW, walk
from tests.doubles.slack.blocks import buttons_of
from tests.doubles.slack.blocks import text_of as text_of_blocks
from tests.show_states.state import Kind, State


def text_of(state: State) -> str:
    lines = _discord if state.platform == "discord" else _slack
    return "\n".join(line for line in lines(state) if line)


def _discord(state: State) -> Iterator[str]:
    payload = state.payload
    yield payload.get("title", "")
    yield payload.get("content", "")
    for embed in payload.get("embeds", []):
        yield f"{embed['title']}: {embed['description']}"
    for component in walk(payload.get("components", [])):
        if component["type"] == ACTION_ROW:
            yield _row(_label(button) for button in component["components"])
        elif "component" in component:
            yield from _input(component)


def _label(button: dict[str, Any]) -> str:
    emoji = (button.get("emoji") or {}).get("name", "")
    return f"{emoji} {button.get('label') or ''}".strip()


def _input(label: dict[str, Any]) -> Iterator[str]:
    field = label["component"]
    yield f"{label['label']}: {field.get('value') or ''}"
    for option in field.get("options", []):
        yield f"  ( ) {option['label']}"


def _slack(state: State) -> Iterator[str]:
    payload = state.payload
    if state.kind is Kind.STATUS:
        yield f"Robo {payload['status']}"
        return
    yield (payload.get("title") or {}).get("text", "")
    for block in payload["blocks"]:
        if block["type"] == "table":
            yield from (" | ".join(cell["text"] for cell in row) for row in block["rows"])
        elif block["type"] == "input":
            element = block["element"]
            yield f"{block['label']['text']}: {element.get('initial_value', '')}"
            yield from (f"  ( ) {option['text']['text']}" for option in element.get("options", []))
        else:
            yield unescape(text_of_blocks([block]))
            yield _row(buttons_of([block]))


def _row(labels: Any) -> str:
    return " ".join(f"[{label}]" for label in labels)
