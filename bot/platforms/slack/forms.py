"""Commands that open a form, as Slack's modals.

https://docs.slack.dev/reference/views/modal-views
"""

import json
from collections.abc import Mapping
from typing import Any

from bot.config import Effort
from bot.conversation.commands import COMMANDS, CommandCall, Option, OptionKind
from bot.conversation.texts import Texts
from bot.platforms.inputs import cut_for_inputs, joined_inputs
from bot.platforms.slack.limits import FORM_INPUTS, INPUT_LENGTH

CALLBACK = "gptoss-form"
NO_LEVEL = "-"
"""Chosen for no effort level; Slack takes no empty value."""


def form(
    call: CommandCall, filled: Mapping[str, str], channel: str, texts: Texts
) -> dict[str, Any]:
    """The view of a call's form, which shows `filled`; `channel` is where it was given."""
    command = call.command
    kept = {"command": command.name, "values": dict(call.values), "channel": channel}
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "private_metadata": json.dumps(kept),
        "title": {"type": "plain_text", "text": texts.command(f"/{command.name}")[:24]},
        "submit": {"type": "plain_text", "text": texts("form_save")},
        "blocks": [
            block
            for option in command.form_options
            for block in _inputs(option, filled.get(option.name, ""), texts)
        ],
    }


def submitted(view: Mapping[str, Any]) -> tuple[CommandCall, str]:
    """The call of a form that was sent, with all its options, and the channel."""
    kept = json.loads(view["private_metadata"])
    written = {}
    for name, state in view["state"]["values"].items():
        (field,) = state.values()
        chosen = field.get("selected_option") or {}
        value = str(chosen.get("value") or "")
        written[name] = str(field.get("value") or "") if value in ("", NO_LEVEL) else value
    values = kept["values"] | joined_inputs(written)
    return CommandCall(COMMANDS[kept["command"]], values), kept["channel"]


def _inputs(option: Option, value: str, texts: Texts) -> list[dict[str, Any]]:
    label = texts(f"form_{option.name}")
    if option.kind is not OptionKind.TEXT:
        return [_input(option, option.name, label, value, texts)]
    pieces = cut_for_inputs(option.name, value, INPUT_LENGTH, FORM_INPUTS)
    return [
        _input(option, name, label if at == 1 else f"{label} ({at}/{len(pieces)})", piece, texts)
        for at, (name, piece) in enumerate(pieces.items(), 1)
    ]


def _input(option: Option, name: str, label: str, value: str, texts: Texts) -> dict[str, Any]:
    is_first = name == option.name
    block = {
        "type": "input",
        "block_id": name,
        "label": {"type": "plain_text", "text": label},
        "optional": not (option.required and is_first) or option.kind is OptionKind.EFFORT,
    }
    if option.kind is OptionKind.EFFORT:
        choices = [_choice(NO_LEVEL, texts("form_no_level")), *(_choice(e, e) for e in Effort)]
        initial = next(c for c in choices if c["value"] == (value or NO_LEVEL))
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
        element["initial_value"] = value
    return block | {"element": element}


def _choice(value: str, label: str) -> dict[str, Any]:
    return {"value": value, "text": {"type": "plain_text", "text": label}}
