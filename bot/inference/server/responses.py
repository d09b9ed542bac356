"""The Responses API's requests, as chat completions.

https://platform.openai.com/docs/api-reference/responses. Nothing is stored: what came before is
sent again, reasoning and calls included.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from bot.inference.server.errors import ApiError
from bot.inference.server.parts import JsonObject, Part, Request, Text
from bot.inference.server.requests import (
    MAX_MESSAGES,
    ChatRequest,
    EffortName,
    MaxTokens,
    TextRequest,
)
from bot.inference.server.response_format import with_its_type
from bot.inference.server.response_items import Item, chat_messages
from bot.inference.server.tools import MAX_TOOLS, FunctionDefinition, Name


class NamedFunction(Part):
    type: Literal["function"]
    name: Name


class FunctionTool(FunctionDefinition, NamedFunction):
    """Its type is looked at first: it decides what else may be there."""


class TextFormat(Request):
    """The answer's form; the schema and its name go with json_schema."""

    type: Literal["text", "json_object", "json_schema"]
    name: Annotated[Text, StringConstraints(max_length=64)] | None = None
    description: Text | None = None
    schema_: Annotated[JsonObject | None, Field(alias="schema")] = None
    strict: bool | None = None

    @field_validator("schema_")
    @classmethod
    def _goes_with_its_type(
        cls, schema: dict[str, Any] | None, info: ValidationInfo
    ) -> dict[str, Any] | None:
        return with_its_type(schema, info)


class TextOptions(Request):
    format: TextFormat | None = None
    verbosity: Literal["medium"] | None = None


class ReasoningOptions(Request):
    effort: EffortName | None = None
    summary: Literal["auto"] | None = None
    generate_summary: Literal["auto"] | None = None


class _OnlyNeutral(Request):
    """Fields that would change the answer, and can't, with the values that change nothing."""

    background: Literal[False] | None = None
    context_management: None = None
    conversation: None = None
    max_tool_calls: None = None
    moderation: None = None
    previous_response_id: None = None
    prompt: None = None
    store: Literal[False] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=0)] | None = None
    truncation: Literal["disabled"] | None = None


class ResponseRequest(TextRequest, _OnlyNeutral):
    """The body of `/v1/responses`; `chat` is the same request as a chat completion.

    The last three change nothing.
    """

    input: Text | Annotated[list[Item], Field(min_length=1, max_length=MAX_MESSAGES)]
    instructions: Text | None = None
    max_output_tokens: MaxTokens | None = None
    reasoning: ReasoningOptions | None = None
    text: TextOptions | None = None
    tools: Annotated[list[FunctionTool], Field(max_length=MAX_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedFunction | None = None
    parallel_tool_calls: bool | None = None
    include: list[Literal["reasoning.encrypted_content"]] | None = None
    prompt_cache_options: Any = None
    stream_options: Any = None

    def chat(self) -> ChatRequest:
        """The same as a chat completion. Raises pydantic's ValidationError, and ApiError."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": chat_messages(self.instructions, self.input),
            "max_completion_tokens": self.max_output_tokens,
            "reasoning_effort": self.reasoning and self.reasoning.effort,
            "response_format": self._form(),
            "tools": self._tools(),
            "tool_choice": self._choice(),
        }
        same = ("temperature", "top_p", "parallel_tool_calls", "user", "weight", "cache_salt")
        return ChatRequest.model_validate(body | {name: getattr(self, name) for name in same})

    def _form(self) -> dict[str, Any] | None:
        form = self.text.format if self.text else None
        if form is None or form.type != "json_schema":
            return {"type": form.type} if form else None
        if form.schema_ is None:
            param = "text.format.schema"
            code = "missing_required_parameter"
            raise ApiError(400, f"'{param}' is missing.", param=param, code=code)
        schema = {"name": form.name or "answer", "schema": form.schema_, "strict": form.strict}
        return {"type": "json_schema", "json_schema": schema}

    def _tools(self) -> list[dict[str, Any]] | None:
        if self.tools is None:
            return None
        return [
            {"type": "function", "function": tool.model_dump(exclude={"type"})}
            for tool in self.tools
        ]

    def _choice(self) -> Any:
        if isinstance(self.tool_choice, NamedFunction):
            return {"type": "function", "function": {"name": self.tool_choice.name}}
        return self.tool_choice


def in_own_names(error: ApiError) -> ApiError:
    """A refusal of the chat completion, with the names that the response's fields have."""
    own = error.param or ""
    for chats, responses in _OWN_NAMES.items():
        own = own.replace(chats, responses)
    message = error.message.replace(f"'{error.param}'", f"'{own}'")
    return ApiError(
        error.status, message, param=own or None, code=error.code, retry_after=error.retry_after
    )


_OWN_NAMES = {"messages": "input", "response_format": "text.format", ".function.": "."}
