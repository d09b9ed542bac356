"""What the service is asked: OpenAI's requests, as far as it understands them.

https://platform.openai.com/docs/api-reference/chat. Beyond the standard are `min_p`,
`repetition_penalty`, `cache_salt` and `chat_template_kwargs` (as in vLLM), `reasoning.effort` (as
in OpenRouter's API) and `weight`. A field that would change the answer and can't be done is refused
by its name; one that changes nothing is taken.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from bot.inference.grammar.json_schema import ANY_OBJECT
from bot.inference.server.parts import JsonObject, Part, Request, Text
from bot.inference.server.tools import CallId, FunctionDefinition, ToolCalls, ToolChoice, Tools
from bot.inference.text.turns import Call, Turn

T = TypeVar("T")

MAX_TOKENS = 2**31 - 1
MAX_MESSAGES = 4096


def _join_text_parts(content: Any) -> Any:
    """Content as a list of `{"type": "text", "text": …}` is the texts one after the other."""
    if not isinstance(content, list):
        return content
    texts = [part.get("text") for part in content if _is_text_part(part)]
    if len(texts) < len(content):
        raise ValueError("only text is understood: a string or a list of text parts")
    return "".join(texts)


def _is_text_part(part: Any) -> bool:
    return (
        isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
    )


_TEXT_PARTS_SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
        "required": ["type", "text"],
    },
}


def _whole(number: Any) -> Any:
    """JSON has one kind of number: 3.0 is an integer there."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


_WHOLE = BeforeValidator(_whole)

MaxTokens = Annotated[int, Field(ge=1, le=MAX_TOKENS), _WHOLE]
Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(gt=0, le=1)]
User = Annotated[Text, StringConstraints(max_length=256)]
Weight = Annotated[float, Field(ge=0.01, le=100)]
CacheSalt = Annotated[Text, StringConstraints(min_length=1, max_length=256)]


_Content = Annotated[
    Text,
    BeforeValidator(_join_text_parts),
    WithJsonSchema({"anyOf": [{"type": "string"}, _TEXT_PARTS_SCHEMA]}),
]
_MISSING = PydanticCustomError("missing", "Field required")


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
            raise _MISSING
        return id

    @field_validator("content")
    @classmethod
    def _says_something(cls, content: str | None, info: ValidationInfo) -> str | None:
        calls = info.data.get("role") == "assistant" and info.data.get("tool_calls")
        if content is None and not calls:
            raise _MISSING
        return content


StopString = Annotated[Text, StringConstraints(min_length=1, max_length=256)]
_STOP_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 256}
_STOPS_SCHEMA = {"type": "array", "items": _STOP_SCHEMA, "maxItems": 4}


class StreamOptions(Part):
    include_usage: bool = False


class PromptRequest(Request):
    """The body of vLLM's `/tokenize`; `model` is this service's only one when left out."""

    model: Text | None = None
    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]


EffortName = Literal["none", "minimal", "low", "medium", "high"]


class Reasoning(Request):
    """OpenRouter's form of the effort, and the Responses API's."""

    effort: EffortName | None = None


class TemplateOptions(Request):
    """vLLM's way to the chat template; `enable_thinking` false is the effort none."""

    reasoning_effort: EffortName | None = None
    enable_thinking: bool | None = None


def with_its_type(schema: T | None, info: ValidationInfo) -> T | None:
    """The schema of a form that has one by its type, and None of one that has none."""
    kept = info.data.get("type") == "json_schema"
    if schema is None and kept:
        raise _MISSING
    if schema is not None and not kept and "type" in info.data:
        raise ValueError("goes with the type json_schema only")
    return schema


class NamedSchema(Request):
    name: Annotated[Text, StringConstraints(max_length=64)]
    description: Text | None = None
    schema_: Annotated[JsonObject, Field(alias="schema", default_factory=dict)]
    strict: bool | None = None


class ResponseFormat(Request):
    """The answer's form: JSON that keeps to a schema, any JSON object, or free text."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: Annotated[NamedSchema | None, Field(validate_default=True)] = None

    @field_validator("json_schema")
    @classmethod
    def _goes_with_its_type(
        cls, schema: NamedSchema | None, info: ValidationInfo
    ) -> NamedSchema | None:
        return with_its_type(schema, info)

    @property
    def schema_to_keep(self) -> dict[str, Any] | None:
        """What the answer must keep to; None for text."""
        if self.type == "json_schema" and self.json_schema:
            return self.json_schema.schema_
        return ANY_OBJECT if self.type == "json_object" else None


_Zero = Annotated[float, Field(ge=0, le=0)]
_No = Literal[False]


class _OnlyNeutral(Request):
    """Fields that would change the answer, and can't, with the values that change nothing."""

    n: Annotated[int, Field(ge=1, le=1), _WHOLE] | None = None
    best_of: Annotated[int, Field(ge=1, le=1), _WHOLE] | None = None
    presence_penalty: _Zero | None = None
    frequency_penalty: _Zero | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None
    logprobs: _No | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=0)] | None = None
    top_k: Literal[-1, 0] | None = None
    min_tokens: Annotated[int, Field(ge=0, le=0)] | None = None
    ignore_eos: _No | None = None
    modalities: list[Literal["text"]] | None = None
    audio: None = None
    functions: Annotated[list[Any], Field(max_length=0)] | None = None
    function_call: Literal["none", "auto"] | None = None
    verbosity: Literal["medium"] | None = None
    web_search_options: None = None


class _Harmless(Request):
    """Fields that change nothing of the answer."""

    metadata: Any = None
    store: Any = None
    service_tier: Any = None
    safety_identifier: Any = None
    prompt_cache_key: Any = None
    prompt_cache_retention: Any = None
    prediction: Any = None


class Generating(_OnlyNeutral, _Harmless):
    """What all requests for text have in common.

    Sampling that is left out is the model's recommended one. `user` as `server/user` decides whose
    turn it is when requests wait; `weight` is the server's. A request reuses what is cached of
    requests with the same `cache_salt`, and of no others.
    """

    model: Text
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(ge=0.01, le=2)] | None = None
    max_tokens: MaxTokens | None = None
    stop: Annotated[
        Annotated[list[StopString], Field(max_length=4)] | None,
        BeforeValidator(lambda stop: [stop] if isinstance(stop, str) else stop),
        WithJsonSchema({"anyOf": [_STOP_SCHEMA, _STOPS_SCHEMA, {"type": "null"}]}),
    ] = None
    seed: Annotated[int, _WHOLE, AfterValidator(lambda seed: seed % 2**63)] | None = None
    user: User | None = None
    weight: Weight | None = None
    cache_salt: CacheSalt | None = None

    @property
    def include_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage


def _one_text(prompt: Any) -> Any:
    """A list of one prompt is the prompt."""
    match prompt:
        case [str() | list() as only]:
            return only
        case [str() | list(), *_]:
            raise ValueError("only one prompt can be asked at a time")
        case _:
            return prompt


class CompletionRequest(Generating):
    """The body of `/v1/completions`: text, or token ids, to go on with as they are."""

    prompt: Annotated[
        Text | Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)],
        BeforeValidator(_one_text),
    ]
    max_tokens: MaxTokens | None = 16
    echo: _No | None = None
    suffix: None = None
    logprobs: None = None


class ChatRequest(Generating):
    """The body of `/v1/chat/completions`.

    `max_completion_tokens` (or the older `max_tokens`) counts reasoning too and is cut to what the
    context has left; left out, it is that. Beside low, medium and high, `reasoning_effort` may be
    none or minimal, which mean low; of several fields that say the effort, it counts.
    """

    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]
    max_completion_tokens: MaxTokens | None = None
    reasoning_effort: EffortName | None = None
    reasoning: Reasoning | None = None
    chat_template_kwargs: TemplateOptions | None = None
    response_format: ResponseFormat | None = None
    tools: Tools | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None

    @property
    def effort(self) -> str | None:
        """The effort as the model's template knows it, by whichever name it was sent."""
        template = self.chat_template_kwargs or TemplateOptions()
        asked = (
            self.reasoning_effort
            or (self.reasoning and self.reasoning.effort)
            or template.reasoning_effort
            or ("none" if template.enable_thinking is False else None)
        )
        return "low" if asked in ("none", "minimal") else asked

    @property
    def offered(self) -> list[FunctionDefinition]:
        """What may be called; nothing where `tool_choice` is none."""
        return [] if self.tool_choice == "none" else [tool.function for tool in self.tools or []]


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
            Call(id=call.id, name=call.function.name, arguments=json.loads(call.function.arguments))
            for call in message.tool_calls
        ]
    return turn
