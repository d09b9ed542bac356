"""The Responses API's requests, as chat completions.

https://platform.openai.com/docs/api-reference/responses. Nothing is stored: what came before is
sent again, reasoning and calls included.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from bot.inference.server.errors import ApiError
from bot.inference.server.parts import JsonObject, Part, Request, Text
from bot.inference.server.requests import (
    MAX_MESSAGES,
    CacheSalt,
    ChatRequest,
    EffortName,
    MaxTokens,
    Temperature,
    TopP,
    User,
    Weight,
    with_its_type,
)
from bot.inference.server.tools import MAX_TOOLS, CallId, FunctionDefinition, Name, an_object

_TEXT_TYPES = ("input_text", "output_text", "text")


def _join_parts(content: Any) -> Any:
    if not isinstance(content, list):
        return content
    texts = [
        part["text"]
        for part in content
        if isinstance(part, dict)
        and part.get("type") in _TEXT_TYPES
        and isinstance(part.get("text"), str)
    ]
    if len(texts) < len(content):
        raise ValueError("only text is understood: a string, input_text and output_text")
    return "".join(texts)


_PARTS_SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"type": {"enum": list(_TEXT_TYPES)}, "text": {"type": "string"}},
        "required": ["type", "text"],
    },
}
_Content = Annotated[
    Text,
    BeforeValidator(_join_parts),
    WithJsonSchema({"anyOf": [{"type": "string"}, _PARTS_SCHEMA]}),
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


_Item = Annotated[
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


class _Harmless(Request):
    """Fields that change nothing of the answer."""

    include: list[Literal["reasoning.encrypted_content"]] | None = None
    metadata: Any = None
    prompt_cache_key: Any = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    safety_identifier: Any = None
    service_tier: Any = None
    stream_options: Any = None


class ResponseRequest(_OnlyNeutral, _Harmless):
    """The body of `/v1/responses`; `chat` is the same request as a chat completion."""

    model: Text
    input: Text | Annotated[list[_Item], Field(min_length=1, max_length=MAX_MESSAGES)]
    instructions: Text | None = None
    max_output_tokens: MaxTokens | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    reasoning: ReasoningOptions | None = None
    text: TextOptions | None = None
    tools: Annotated[list[FunctionTool], Field(max_length=MAX_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedFunction | None = None
    parallel_tool_calls: bool | None = None
    stream: bool | None = None
    user: User | None = None
    weight: Weight | None = None
    cache_salt: CacheSalt | None = None

    def chat(self) -> ChatRequest:
        """The same as a chat completion. Raises pydantic's ValidationError, and ApiError."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": self._messages(),
            "max_completion_tokens": self.max_output_tokens,
            "reasoning_effort": self.reasoning and self.reasoning.effort,
            "response_format": self._form(),
            "tools": self._tools(),
            "tool_choice": self._choice(),
        }
        same = ("temperature", "top_p", "parallel_tool_calls", "user", "weight", "cache_salt")
        return ChatRequest.model_validate(body | {name: getattr(self, name) for name in same})

    def _messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        if self.instructions:
            messages.append({"role": "system", "content": self.instructions})
        if isinstance(self.input, str):
            return [*messages, {"role": "user", "content": self.input}]
        thoughts: list[str] = []
        made: set[str] = set()
        for number, item in enumerate(self.input):
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


def _joined(thoughts: list[str]) -> str:
    return "\n\n".join(filter(None, thoughts))


def _refused(number: int, why: str) -> ApiError:
    param = f"input[{number}].call_id"
    return ApiError(400, f"Invalid value for '{param}': it {why}.", param=param)
