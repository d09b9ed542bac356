"""What the service answers: OpenAI's objects, as far as it speaks them.

https://platform.openai.com/docs/api-reference/chat. Beyond the standard are the reasoning, under
the names `reasoning_content` (DeepSeek's) and `reasoning` (OpenRouter's and vLLM's), and `queue` in
the chunks of a waiting request.
"""

from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from bot.inference.scheduler import job


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


class CalledFunction(BaseModel):
    name: str
    arguments: str


class CallMade(BaseModel):
    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


class AnswerMessage(BaseModel):
    """`content` is null where there are only calls, and `tool_calls` null where there are none."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    reasoning_content: str | None
    reasoning: str | None
    tool_calls: list[CallMade] | None = None


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


class FunctionDelta(_OnlyWhatIsSet):
    name: str | None = None
    arguments: str


class CallDelta(_OnlyWhatIsSet):
    """A piece of a call; the first one has its id, type and name."""

    index: int
    id: str | None = None
    type: Literal["function"] | None = None
    function: FunctionDelta


class ChunkDelta(_OnlyWhatIsSet):
    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[CallDelta] | None = None


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
    """`max_model_len` is the context in tokens, as in vLLM; `reasoning` harmony, think or none.

    tools: whether the model can call some.
    """

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["gptoss-bot"] = "gptoss-bot"
    max_model_len: int
    reasoning: str
    tools: bool


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


class Version(BaseModel):
    """The answer of vLLM's `/version`."""

    version: str


class Tokens(BaseModel):
    """The answer of vLLM's `/tokenize`."""

    count: int
    max_model_len: int
    tokens: list[int]
