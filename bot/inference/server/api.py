"""The wire: OpenAI's chat completions, as far as this service speaks them.

https://platform.openai.com/docs/api-reference/chat. Beyond the standard are `min_p`,
`repetition_penalty` and `cache_salt` (as in vLLM), `weight`, `delta.reasoning_content` (as in
DeepSeek's API and vLLM) and `queue` in the chunks of a waiting request. Unknown fields are ignored,
as by other compatible servers; so is `messages[].name`.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    WithJsonSchema,
    model_serializer,
)

from bot.inference.scheduler import job

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


def _no_lone_surrogate(text: str) -> str:
    """Refuse half of a UTF-16 pair: JSON can spell it, but it isn't a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("has half a character (a lone surrogate)") from None
    return text


Text = Annotated[str, AfterValidator(_no_lone_surrogate)]


def _whole(number: Any) -> Any:
    """JSON has one kind of number: 3.0 is an integer there."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


_WHOLE = BeforeValidator(_whole)


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Message(_Request):
    """One turn. `developer` is OpenAI's newer name for `system`."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[
        Text,
        BeforeValidator(_join_text_parts),
        WithJsonSchema({"anyOf": [{"type": "string"}, _TEXT_PARTS_SCHEMA]}),
    ]


StopString = Annotated[Text, StringConstraints(min_length=1, max_length=256)]
_STOP_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 256}
_STOPS_SCHEMA = {"type": "array", "items": _STOP_SCHEMA, "maxItems": 4}


class StreamOptions(_Request):
    include_usage: bool = False


class PromptRequest(_Request):
    """The body of vLLM's `/tokenize`; `model` is this service's only one when left out."""

    model: Text | None = None
    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]


class ChatRequest(_Request):
    """The body of `/v1/chat/completions`.

    Sampling that is left out is the model's recommended one. `max_completion_tokens` (or the older
    `max_tokens`) counts reasoning too and is cut to what the context has left; left out, it is
    that. Beside low, medium and high, `reasoning_effort` may be none or minimal, which mean low.
    `user` as `server/user` decides whose turn it is when requests wait; `weight` is the server's.
    A request reuses what is cached of requests with the same `cache_salt`, and of no others.
    """

    model: Text
    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(ge=0.01, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS), _WHOLE] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS), _WHOLE] | None = None
    stop: Annotated[
        Annotated[list[StopString], Field(max_length=4)] | None,
        BeforeValidator(lambda stop: [stop] if isinstance(stop, str) else stop),
        WithJsonSchema({"anyOf": [_STOP_SCHEMA, _STOPS_SCHEMA, {"type": "null"}]}),
    ] = None
    seed: Annotated[int, _WHOLE, AfterValidator(lambda seed: seed % 2**63)] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high"] | None = None
    user: Annotated[Text, StringConstraints(max_length=256)] | None = None
    weight: Annotated[float, Field(ge=0.01, le=100)] | None = None
    cache_salt: Annotated[Text, StringConstraints(min_length=1, max_length=256)] | None = None
    n: Annotated[int, Field(ge=1, le=1), _WHOLE] | None = None

    @property
    def effort(self) -> str | None:
        """`reasoning_effort` as the model's template knows it."""
        return "low" if self.reasoning_effort in ("none", "minimal") else self.reasoning_effort


def chat_messages(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Messages as a chat template takes them."""
    return [
        {
            "role": "system" if message.role == "developer" else message.role,
            "content": message.content,
        }
        for message in messages
    ]


class PromptTokensDetails(BaseModel):
    cached_tokens: int


class CompletionTokensDetails(BaseModel):
    reasoning_tokens: int


class Usage(BaseModel):
    """`completion_tokens` counts everything generated, reasoning and control tokens too."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails

    @classmethod
    def of(cls, usage: job.Usage) -> Self:
        """The scheduler's count as OpenAI's."""
        return cls(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            total_tokens=usage.prompt_tokens + usage.completion_tokens,
            prompt_tokens_details=PromptTokensDetails(cached_tokens=usage.cached_tokens),
            completion_tokens_details=CompletionTokensDetails(
                reasoning_tokens=usage.reasoning_tokens
            ),
        )


class AnswerMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str
    reasoning_content: str | None


class Choice(BaseModel):
    index: Literal[0] = 0
    message: AnswerMessage
    finish_reason: str


class ChatCompletion(BaseModel):
    """The answer to a request without `stream`."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class QueuePlace(BaseModel):
    """Where a waiting request stands; 1 is next. `eta_seconds` is null while no speed is known."""

    position: int
    eta_seconds: float | None


class _OnlyWhatIsSet(BaseModel):
    @model_serializer(mode="wrap")
    def _drop_none(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}


class ChunkDelta(_OnlyWhatIsSet):
    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning_content: str | None = None


class ChunkChoice(BaseModel):
    index: Literal[0] = 0
    delta: ChunkDelta
    finish_reason: str | None = None


class ChatCompletionChunk(_OnlyWhatIsSet):
    """One event of a stream. `queue` is there while the request waits, `usage` at the end."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None
    queue: QueuePlace | None = None


class ModelCard(BaseModel):
    """`max_model_len` is the context in tokens, as in vLLM; `reasoning` harmony, think or none."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["gptoss-bot"] = "gptoss-bot"
    max_model_len: int
    reasoning: str


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelCard]


class Health(BaseModel):
    """`status` is ready or the stage before or after; `progress` goes from 0 to 1, where known."""

    status: str
    progress: float | None
    detail: str
    running: int
    waiting: int
    tokens_per_second: float | None


class Tokens(BaseModel):
    """The answer of vLLM's `/tokenize`."""

    count: int
    max_model_len: int
    tokens: list[int]
