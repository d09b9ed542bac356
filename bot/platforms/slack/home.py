"""The Home tab: what is in effect in the workspace, and its personas.

https://docs.slack.dev/surfaces/app-home
"""

import json
from collections.abc import Sequence
from typing import Any

from bot.conversation.personas import Persona
from bot.conversation.texts import Texts
from bot.platforms.slack.blocks import Block, plain_section, section
from bot.platforms.slack.mrkdwn import plain_text

COMMAND = "gptoss-command"
"""The action_id of buttons that give a command; their value is its line."""
PERSONAS = 40
"""Each takes two blocks of the hundred that a view may have."""


def home(settings: str, personas: Sequence[Persona], texts: Texts) -> dict[str, Any]:
    """The view; `settings` is what /settings says, as Markdown."""
    blocks: list[Block] = [
        _header(texts("home_settings")),
        section(settings),
        _header(texts("home_personas")),
    ]
    for persona in personas[:PERSONAS]:
        line = f"*{persona.name}*  {plain_text(persona.description or persona.prompt[:200])}"
        buttons = [_button(texts("home_use"), f"/persona use {persona.name} server")]
        buttons.append(_button(texts("home_edit"), f"/persona edit {persona.name}"))
        blocks += [plain_section(line), {"type": "actions", "elements": buttons}]
    create = _button(texts("home_create"), "/persona create") | {"style": "primary"}
    blocks.append({"type": "actions", "elements": [create]})
    return {"type": "home", "blocks": blocks}


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": text}}


def _button(label: str, line: str) -> dict[str, Any]:
    return {
        "type": "button",
        "action_id": f"{COMMAND}:{line}"[:255],
        "text": {"type": "plain_text", "text": label},
        "value": json.dumps({"line": line}),
    }
