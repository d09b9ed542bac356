"""Commands that open a form, as Slack's modals.

https://docs.slack.dev/reference/views/modal-views
"""

import json
from collections.abc import Mapping
from typing import Any

from bot.config import Effort
from bot.conversation.commands import COMMANDS, Call, Option, OptionKind
from bot.conversation.texts import Texts
from bot.platforms.slack.limits import INPUT_LENGTH

CALLBACK = "gptoss-form"


def form(call: Call, filled: Mapping[str, str], channel: str, texts: Texts) -> dict[str, Any]:
    """The view of a call's form, which shows `filled`; `channel` is where it was given."""
    command = call.command
    kept = {"command": command.name, "values": dict(call.values), "channel": channel}
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "private_metadata": json.dumps(kept),
        "title": {"type": "plain_text", "text": f"/{command.name}"[:24]},
        "submit": {"type": "plain_text", "text": texts("form_save")},
        "blocks": [_input(o, filled.get(o.name, ""), texts) for o in command.form_options],
    }


def submitted(view: Mapping[str, Any]) -> tuple[Call, str]:
    """The call of a form that was sent, with all its options, and the channel."""
    kept = json.loads(view["private_metadata"])
    written = {}
    for name, state in view["state"]["values"].items():
        (field,) = state.values()
        chosen = field.get("selected_option") or {}
        written[name] = str(field.get("value") or chosen.get("value") or "").strip()
    written = {name: "" if value == "-" else value for name, value in written.items()}
    return Call(COMMANDS[kept["command"]], kept["values"] | written), kept["channel"]


def _input(option: Option, value: str, texts: Texts) -> dict[str, Any]:
    label = {"type": "plain_text", "text": texts(f"form_{option.name}")}
    block = {
        "type": "input",
        "block_id": option.name,
        "label": label,
        "optional": not option.required or option.kind is OptionKind.EFFORT,
    }
    if option.kind is OptionKind.EFFORT:
        choices = [_choice("-", texts("form_no_level")), *(_choice(e, e) for e in Effort)]
        initial = next(c for c in choices if c["value"] == (value or "-"))
        return block | {
            "element": {
                "type": "radio_buttons",
                "action_id": "value",
                "options": choices,
                "initial_option": initial,
            }
        }
    long = option.kind is OptionKind.TEXT
    element = {
        "type": "plain_text_input",
        "action_id": "value",
        "multiline": long,
        "max_length": INPUT_LENGTH if long else 200,
    }
    if value:
        element["initial_value"] = value[:INPUT_LENGTH]
    return block | {"element": element}


def _choice(value: str, label: str) -> dict[str, Any]:
    return {"value": value, "text": {"type": "plain_text", "text": label}}
