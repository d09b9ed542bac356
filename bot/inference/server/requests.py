"""What the service is asked: OpenAI's requests, as far as it understands them.

https://platform.openai.com/docs/api-reference/chat. Beyond the standard are `min_p`,
`repetition_penalty`, `cache_salt` and `chat_template_kwargs` (as in vLLM), `reasoning.effort` (as
in OpenRouter's API) and `weight`. A field that would change the answer and can't be done is refused
by its name; one that changes nothing is taken.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from bot.inference.server.messages import Message
from bot.inference.server.parts import Part, Request, Text
from bot.inference.server.response_format import ResponseFormat
from bot.inference.server.tools import FunctionDefinition, ToolChoice, Tools

MAX_TOKENS = 2**31 - 1
MAX_MESSAGES = 4096


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


class TextRequest(Request):
    """What all requests for text have in common, in each of the APIs.

    Sampling that is left out is the model's recommended one. `user` as `server/user` decides whose
    turn it is when requests wait; `weight` is the server's. A request reuses what is cached of
    requests with the same `cache_salt`, and of no others. The last five change nothing.
    """

    model: Text
    stream: bool | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    user: User | None = None
    weight: Weight | None = None
    cache_salt: CacheSalt | None = None
    metadata: Any = None
    service_tier: Any = None
    safety_identifier: Any = None
    prompt_cache_key: Any = None
    prompt_cache_retention: Any = None


class GenerationRequest(TextRequest, _OnlyNeutral):
    """The fields that chat completions and completions share. Two of them change nothing."""

    stream_options: StreamOptions | None = None
    store: Any = None
    prediction: Any = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(ge=0.01, le=2)] | None = None
    max_tokens: MaxTokens | None = None
    stop: Annotated[
        Annotated[list[StopString], Field(max_length=4)] | None,
        BeforeValidator(lambda stop: [stop] if isinstance(stop, str) else stop),
        WithJsonSchema({"anyOf": [_STOP_SCHEMA, _STOPS_SCHEMA, {"type": "null"}]}),
    ] = None
    seed: Annotated[int, _WHOLE, AfterValidator(lambda seed: seed % 2**63)] | None = None

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


class CompletionRequest(GenerationRequest):
    """The body of `/v1/completions`: text, or token ids, to go on with as they are."""

    prompt: Annotated[
        Text | Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)],
        BeforeValidator(_one_text),
    ]
    max_tokens: MaxTokens | None = 16
    echo: _No | None = None
    suffix: None = None
    logprobs: None = None


class ChatRequest(GenerationRequest):
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
