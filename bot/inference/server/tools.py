"""Tools on the wire: what may be called, what was called, and what came of it.

https://platform.openai.com/docs/guides/function-calling
"""

import json
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from bot.inference.server.parts import JsonObject, Part, Request, Text

MAX_TOOLS = 128
"""OpenAI's limit."""


Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_.-]{1,64}$")]
"""OpenAI's, and the dot: gpt-oss was trained on `browser.search`."""
CallId = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class FunctionDefinition(Request):
    name: Name
    description: Text | None = None
    parameters: JsonObject | None = None
    strict: bool | None = None
    """Whether a schema is refused that arguments can't be held to in all."""


class Tool(Request):
    type: Literal["function"]
    function: FunctionDefinition


class FunctionName(Part):
    name: Name


class NamedTool(Part):
    type: Literal["function"]
    function: FunctionName


ToolChoice = Literal["none", "auto", "required"] | NamedTool


def an_object(arguments: str) -> str:
    try:
        found = json.loads(arguments or "{}")
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()  # all of it is text
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError("should be a JSON object as text")
    return arguments or "{}"


class FunctionCall(Part):
    name: Name
    arguments: Annotated[str, AfterValidator(an_object)]


class ToolCall(Part):
    """A call that the model made before, sent back by the client."""

    id: CallId
    type: Literal["function"] = "function"
    function: FunctionCall


ToolCalls = Annotated[list[ToolCall], Field(max_length=MAX_TOOLS)]


def _named_apart(tools: list[Tool]) -> list[Tool]:
    names = [tool.function.name for tool in tools]
    if twice := [name for at, name in enumerate(names) if name in names[:at]]:
        raise ValueError(f"two functions have the name {twice[0]!r}")
    return tools


Tools = Annotated[list[Tool], Field(max_length=MAX_TOOLS), AfterValidator(_named_apart)]
