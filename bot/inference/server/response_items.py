"""The Responses API's input, item by item, and the messages that it is for a chat completion."""

from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Tag, WithJsonSchema

from bot.inference.server.errors import ApiError
from bot.inference.server.parts import Part, Text, joined_texts, texts_schema
from bot.inference.server.tools import CallId, Name, an_object

_TYPES = ("input_text", "output_text", "text")
_Content = Annotated[
    Text,
    BeforeValidator(
        partial(joined_texts, types=_TYPES, allowed="a string, input_text and output_text")
    ),
    WithJsonSchema(texts_schema(_TYPES)),
]


class MessageItem(Part):
    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: _Content


class ReasoningText(Part):
    type: Literal["reasoning_text"]
    text: Text


class ReasoningItem(Part):
    """What the model thought; `summary` says the same in fewer words and is not shown to it.

    What another service encrypted can't be read here.
    """

    type: Literal["reasoning"]
    encrypted_content: None = None
    content: list[ReasoningText] | None = None


class CallItem(Part):
    type: Literal["function_call"]
    call_id: CallId
    name: Name
    arguments: Annotated[str, AfterValidator(an_object)]


class ResultItem(Part):
    type: Literal["function_call_output"]
    call_id: CallId
    output: _Content


def _kind(item: Any) -> str | None:
    """What an item is; a message may leave its type out."""
    return f"<{item.get('type', 'message')}>" if isinstance(item, dict) else None


Item = Annotated[
    Annotated[MessageItem, Tag("<message>")]
    | Annotated[ReasoningItem, Tag("<reasoning>")]
    | Annotated[CallItem, Tag("<function_call>")]
    | Annotated[ResultItem, Tag("<function_call_output>")],
    Discriminator(
        _kind,
        custom_error_type="unknown_item",
        custom_error_message="should have the type message, reasoning, function_call or"
        " function_call_output",
    ),
]
"""Tagged in brackets: a refusal names fields, and a tag is none."""


def chat_messages(instructions: str | None, items: str | list[Item]) -> list[dict[str, Any]]:
    """The messages of a chat completion. Raises ApiError for calls that don't belong together."""
    messages: list[dict[str, Any]] = []
    if instructions:
        messages.append({"role": "system", "content": instructions})
    if isinstance(items, str):
        return [*messages, {"role": "user", "content": items}]
    thoughts: list[str] = []
    made: set[str] = set()
    for number, item in enumerate(items):
        last = messages[-1] if messages else {}
        match item:
            case ReasoningItem(content=parts):
                thoughts.append("".join(part.text for part in parts or []))
            case CallItem():
                if last.get("role") != "assistant":
                    last = {"role": "assistant", "content": None}
                    messages.append(last)
                calls = last.setdefault("tool_calls", [])
                if any(call["id"] == item.call_id for call in calls):
                    raise _refused(number, "is that of another call of the same turn")
                made.add(item.call_id)
                function = {"name": item.name, "arguments": item.arguments}
                calls.append({"id": item.call_id, "type": "function", "function": function})
                last["reasoning"] = _joined([last.get("reasoning", ""), *thoughts])
                thoughts = []
            case ResultItem():
                if item.call_id not in made:
                    raise _refused(number, "is that of no call before it")
                result = {"role": "tool", "tool_call_id": item.call_id, "content": item.output}
                messages.append(result)
            case MessageItem():
                message = {"role": item.role, "content": item.content}
                if item.role == "assistant":
                    message["reasoning"] = _joined(thoughts)
                messages.append(message)
                thoughts = []  # of a turn that somebody interrupted, if there are some
    return messages


def _joined(thoughts: list[str]) -> str:
    return "\n\n".join(filter(None, thoughts))


def _refused(number: int, why: str) -> ApiError:
    param = f"input[{number}].call_id"
    return ApiError(400, f"Invalid value for '{param}': it {why}.", param=param)
