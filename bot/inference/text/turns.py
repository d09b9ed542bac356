"""Messages in the forms that chat templates know, tool calls and their results included."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from bot.inference.text.placeholders import Placeholders

ROLES = ("system", "user", "assistant", "tool")


class PromptError(Exception):
    """No prompt can be made of these messages, or for this model; one line for a person."""


class TurnCall(TypedDict):
    """A tool call that the model made."""

    id: str
    name: str
    arguments: dict[str, Any]


class Turn(TypedDict):
    """One message. `reasoning` and `calls` are an assistant's, `call_id` is a tool's."""

    role: str
    content: str
    reasoning: NotRequired[str]
    calls: NotRequired[list[TurnCall]]
    call_id: NotRequired[str]


def texts(turns: Sequence[Turn]) -> list[str]:
    """All that people, tools and the model have said."""
    said = [turn["content"] for turn in turns]
    said += [turn.get("reasoning", "") for turn in turns]
    return said + [str(call["arguments"]) for turn in turns for call in turn.get("calls", [])]


def fold_instructions(turns: Sequence[Turn]) -> list[Turn]:
    """The turns with all system messages as one at the start, a paragraph each."""
    instructions = [turn["content"] for turn in turns if turn["role"] == "system"]
    others = [turn for turn in turns if turn["role"] != "system"]
    if not instructions:
        return others
    return [Turn(role="system", content="\n\n".join(filter(None, instructions))), *others]


def check(turns: Sequence[Turn]) -> None:
    """Raise PromptError for an unknown role, text that isn't Unicode, a result of no one call."""
    if not turns:
        raise PromptError("there are no messages")
    made: set[str] = set()
    for number, turn in enumerate(turns, 1):
        if turn["role"] not in ROLES:
            allowed = ", ".join(ROLES)
            raise PromptError(f"message {number} has an unknown role; it is one of {allowed}")
        try:
            turn["content"].encode()
        except UnicodeEncodeError as error:
            raise PromptError(
                f"message {number} holds half of a surrogate pair, no text"
            ) from error
        if turn["role"] == "tool" and turn.get("call_id") not in made:
            raise PromptError(f"message {number} is a result of no call that was made before it")
        ids = [call["id"] for call in turn.get("calls", [])]
        if len(set(ids)) < len(ids):
            raise PromptError(f"message {number} has two calls with the same id")
        made.update(ids)


def harmony_messages(
    turns: Sequence[Turn], hidden: Placeholders, own: Collection[str] = ()
) -> list[dict[str, Any]]:
    """As gpt-oss's template wants them: one call a message, its result behind it.

    Reasoning, and what was said beside a call, go with the first call; the template shows them
    until an answer follows. Results of the model's `own` tools are shown as they are.
    """
    messages: list[dict[str, Any]] = []
    for number, turn in enumerate(turns, 1):
        if not turn.get("calls"):
            if turn["role"] != "tool":
                messages.append(_plain(number, turn, hidden))
            continue
        said = "\n\n".join(filter(None, (turn.get("reasoning"), turn["content"])))
        for call in turn["calls"]:
            message: dict[str, Any] = {"role": "assistant", "content": ""}
            message["tool_calls"] = [_call(call, hidden)]
            if said:
                message["thinking"], said = hidden.hide_encoded(said), ""
            messages.append(message)
            raw = call["name"] in own
            found = _results(turns, number, call["id"])
            messages += [_result(n, result, hidden, raw=raw) for n, result in found]
    return messages


def _results(turns: Sequence[Turn], number: int, id: str) -> Iterator[tuple[int, Turn]]:
    """What came of the call `id` of the turn `number`: some clients use ids again later."""
    for at, turn in enumerate(turns[number:], number + 1):
        if turn.get("call_id") == id:
            yield at, turn
        if any(call["id"] == id for call in turn.get("calls", [])):
            return


def common_messages(turns: Sequence[Turn], hidden: Placeholders) -> list[dict[str, Any]]:
    """As most templates want them, which are OpenAI's with arguments as an object."""
    messages: list[dict[str, Any]] = []
    for number, turn in enumerate(turns, 1):
        if turn["role"] == "tool":
            messages.append(_result(number, turn, hidden))
            continue
        message = _plain(number, turn, hidden)
        if calls := turn.get("calls"):
            message["tool_calls"] = [_call(call, hidden) for call in calls]
            if reasoning := turn.get("reasoning"):
                message["reasoning_content"] = hidden.hide_encoded(reasoning)
        messages.append(message)
    return messages


def tool_definitions(
    tools: Sequence[Mapping[str, Any]], hidden: Placeholders
) -> list[dict[str, Any]]:
    """OpenAI's definitions with all that templates ask for; a description is one line."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool["name"],
                "description": hidden.hide_values(_one_line(tool.get("description") or "")),
                "parameters": hidden.hide_values(
                    _described(tool.get("parameters") or {"type": "object", "properties": {}})
                ),
            },
        }
        for tool in tools
    ]


def _plain(number: int, turn: Turn, hidden: Placeholders) -> dict[str, Any]:
    what = f"message {number}, whose role is {turn['role']}"
    return {"role": turn["role"], "content": hidden.hide(turn["content"], what)}


def _call(call: TurnCall, hidden: Placeholders) -> dict[str, Any]:
    function = {"name": call["name"], "arguments": hidden.hide_values(call["arguments"])}
    return {"id": "call", "type": "function", "function": function}


def _result(number: int, turn: Turn, hidden: Placeholders, *, raw: bool = False) -> dict[str, Any]:
    """raw: whether it is to be shown as it is, where others may be encoded as JSON."""
    content, what = turn["content"], f"message {number}, whose role is tool"
    if raw:
        content = hidden.hide_raw(content, what)
    elif content:
        content = hidden.hide_encoded(content, what)
    return {"role": "tool", "content": content}


def _one_line(text: str) -> str:
    # gpt-oss's template writes it behind //, where a new line would be a definition.
    return " ".join(text.split())


def _described(schema: Any) -> Any:
    """The schema with every description in one line."""
    match schema:
        case dict():
            return dict(_described_items(schema))
        case list():
            return [_described(item) for item in schema]
        case _:
            return schema


def _described_items(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in schema.items():
        is_text = key in ("description", "title") and isinstance(value, str)
        yield key, _one_line(value) if is_text else _described(value)
