"""A chat's messages on the wire, and the turns that they are for the model."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from bot.inference.server.parts import MISSING, Part, Text, joined_texts, texts_schema
from bot.inference.server.tools import CallId, ToolCalls
from bot.inference.text.turns import Turn, TurnCall

_TYPES = ("text",)
_Content = Annotated[
    Text,
    BeforeValidator(
        partial(joined_texts, types=_TYPES, allowed="a string or a list of text parts")
    ),
    WithJsonSchema(texts_schema(_TYPES)),
]


class Message(Part):
    """One turn. `developer` is OpenAI's newer name for `system`.

    An assistant's message may have `tool_calls` with no content, and its reasoning, under either
    name, goes with them; a tool's message answers the call `tool_call_id`. The last three fields
    would change the answer, and can't.
    """

    role: Literal["system", "developer", "user", "assistant", "tool"]
    reasoning_content: Text | None = None
    reasoning: Text | None = None
    tool_calls: ToolCalls | None = None
    tool_call_id: Annotated[CallId | None, Field(validate_default=True)] = None
    content: Annotated[_Content | None, Field(validate_default=True)] = None
    function_call: None = None
    audio: None = None
    prefix: Literal[False] | None = None

    @field_validator("tool_call_id")
    @classmethod
    def _names_its_call(cls, id: str | None, info: ValidationInfo) -> str | None:
        if id is None and info.data.get("role") == "tool":
            raise MISSING
        return id

    @field_validator("content")
    @classmethod
    def _says_something(cls, content: str | None, info: ValidationInfo) -> str | None:
        calls = info.data.get("role") == "assistant" and info.data.get("tool_calls")
        if content is None and not calls:
            raise MISSING
        return content


def chat_turns(messages: Sequence[Message]) -> list[Turn]:
    """Messages as ChatFormat takes them."""
    return [_turn(message) for message in messages]


def _turn(message: Message) -> Turn:
    role = "system" if message.role == "developer" else message.role
    turn = Turn(role=role, content=message.content or "")
    if message.tool_call_id is not None:
        turn["call_id"] = message.tool_call_id
    if message.tool_calls:
        turn["reasoning"] = message.reasoning_content or message.reasoning or ""
        turn["calls"] = [
            TurnCall(
                id=call.id, name=call.function.name, arguments=json.loads(call.function.arguments)
            )
            for call in message.tool_calls
        ]
    return turn
