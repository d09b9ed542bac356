"""The Home tab: what is in effect in the workspace, and its personas.

https://docs.slack.dev/surfaces/app-home
"""

import json
from collections.abc import Sequence
from typing import Any

from bot.conversation.personas import Persona
from bot.conversation.texts import Texts
from bot.platforms.slack.blocks import Block, own_sections, plain_section
from bot.platforms.slack.limits import BUTTON_LENGTH, TEXT_LENGTH
from bot.platforms.slack.mrkdwn import plain_text, plain_text_within

COMMAND = "gptoss-command"
"""The action_id of buttons that give a command; their value is its line."""
PERSONAS = 40
"""Each takes two blocks of the hundred that a view may have."""

ABOUT_LENGTH = 1_000
"""Of what a persona is for, escaped."""


def home(settings: str, personas: Sequence[Persona], texts: Texts) -> dict[str, Any]:
    """The view; `settings` is what /settings says, as Markdown."""
    about = f"{texts('home_ask')}\n{texts('can_be_wrong')}"
    blocks: list[Block] = [
        plain_section(plain_text(about)),
        _header(texts("home_settings")),
        *own_sections(settings),
        _header(texts("home_personas")),
    ]
    for persona in personas[:PERSONAS]:
        what_for = plain_text_within(persona.description or persona.prompt[:200], ABOUT_LENGTH)
        line = f"*{plain_text(persona.name)}*  {what_for}"
        buttons = [_button(texts("home_use"), f"/persona use {persona.name} server")]
        buttons.append(_button(texts("home_edit"), f"/persona edit {persona.name}"))
        blocks += [plain_section(line), {"type": "actions", "elements": buttons}]
    create = _button(texts("home_create"), "/persona create") | {"style": "primary"}
    blocks.append({"type": "actions", "elements": [create]})
    return {"type": "home", "blocks": blocks}


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": text}}


def plain_home(settings: str) -> dict[str, Any]:
    """The view where Slack refuses the other: a text as short as any block may have."""
    text = {"type": "plain_text", "text": settings[:TEXT_LENGTH]}
    return {"type": "home", "blocks": [{"type": "section", "text": text}]}


def command_buttons(label: str, line: str, channel: str) -> list[Block]:
    """A button that gives a command in a channel; none for a line that is too long for one."""
    button = _button(label, line, channel)
    if len(button["value"]) > BUTTON_LENGTH:
        return []
    return [{"type": "actions", "elements": [button]}]


def _button(label: str, line: str, channel: str = "") -> dict[str, Any]:
    return {
        "type": "button",
        "action_id": f"{COMMAND}:{line}"[:255],
        "text": {"type": "plain_text", "text": label},
        "value": json.dumps({"line": line, "channel": channel}),
    }
