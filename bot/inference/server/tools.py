"""Tools on the wire: what may be called, what was called, and what came of it.

https://platform.openai.com/docs/guides/function-calling
"""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

MAX_TOOLS = 128
"""OpenAI's limit."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_.-]{1,64}$")]
"""OpenAI's, and the dot: gpt-oss was trained on `browser.search`."""
CallId = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class FunctionDefinition(_Part):
    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    """Whether a schema is refused that arguments can't be held to in all."""


class Tool(_Part):
    type: Literal["function"]
    function: FunctionDefinition


class FunctionName(_Part):
    name: Name


class NamedTool(_Part):
    type: Literal["function"]
    function: FunctionName


ToolChoice = Literal["none", "auto", "required"] | NamedTool


def an_object(arguments: str) -> str:
    try:
        found = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError("should be a JSON object as text")
    return arguments or "{}"


class FunctionCall(_Part):
    name: Name
    arguments: Annotated[str, AfterValidator(an_object)]


class ToolCall(_Part):
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
