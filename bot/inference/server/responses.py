"""The Responses API's requests, as chat completions.

https://platform.openai.com/docs/api-reference/responses. Nothing is stored: what came before is
sent again, reasoning and calls included.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from bot.inference.server.requests import (
    MAX_MESSAGES,
    CacheSalt,
    ChatRequest,
    EffortName,
    MaxTokens,
    NamedSchema,
    Part,
    Request,
    Temperature,
    Text,
    TopP,
    User,
    Weight,
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
    """What the model thought; `summary` says the same in fewer words and is not shown to it."""

    type: Literal["reasoning"]
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


def _with_type(item: Any) -> Any:
    """A message may leave its type out."""
    return {"type": "message"} | item if isinstance(item, dict) else item


_Item = Annotated[MessageItem | ReasoningItem | CallItem | ResultItem, Field(discriminator="type")]
_Items = list[Annotated[_Item, BeforeValidator(_with_type)]]


class FunctionTool(FunctionDefinition):
    type: Literal["function"]


class NamedFunction(Part):
    type: Literal["function"]
    name: Name


class TextFormat(NamedSchema):
    """The answer's form; the fields of NamedSchema go with json_schema."""

    type: Literal["text", "json_object", "json_schema"]
    name: Annotated[Text, StringConstraints(max_length=64)] = "answer"


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
    input: Text | Annotated[_Items, Field(min_length=1, max_length=MAX_MESSAGES)]
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
        """The same as a chat completion. Raises pydantic's ValidationError."""
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
        reasoning = ""
        for item in self.input:
            last = messages[-1] if messages else {}
            match item:
                case ReasoningItem(content=parts):
                    reasoning += "".join(part.text for part in parts or [])
                case CallItem():
                    if last.get("role") != "assistant":
                        last = {"role": "assistant", "content": None}
                        messages.append(last)
                    last.setdefault("reasoning", reasoning)
                    function = {"name": item.name, "arguments": item.arguments}
                    call = {"id": item.call_id, "type": "function", "function": function}
                    last.setdefault("tool_calls", []).append(call)
                    reasoning = ""
                case ResultItem():
                    result = {"role": "tool", "tool_call_id": item.call_id, "content": item.output}
                    messages.append(result)
                case MessageItem():
                    message = {"role": item.role, "content": item.content}
                    if item.role == "assistant":
                        message["reasoning"], reasoning = reasoning, ""
                    messages.append(message)
        return messages

    def _form(self) -> dict[str, Any] | None:
        form = self.text.format if self.text else None
        if form is None or form.type != "json_schema":
            return {"type": form.type} if form else None
        schema = {"name": form.name, "schema": form.schema_, "strict": form.strict}
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
