"""From a request to what the engine runs and what reads its tokens."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

from bot.inference.engines.base import Sampling, Sequence
from bot.inference.grammar.grammar import GrammarError
from bot.inference.grammar.json_schema import arguments_rule, check
from bot.inference.grammar.turns import Function, Rules
from bot.inference.server.errors import ApiError
from bot.inference.server.messages import Message
from bot.inference.server.model import Model
from bot.inference.server.requests import ChatRequest, CompletionRequest, GenerationRequest
from bot.inference.server.tools import FunctionDefinition, NamedTool
from bot.inference.text.generation import CallPolicy, Form, Generation, reasoning_budget
from bot.inference.text.prompt import ReasoningStyle

SAMPLING_FIELDS = {field.name for field in fields(Sampling)}


def too_long(context: int, length: str, param: str = "messages") -> ApiError:
    """The refusal of a prompt of `length` for a model with so much `context`, in tokens."""
    subject = "messages are" if param == "messages" else "prompt is"
    return ApiError(
        400,
        f"The model's context is {context} tokens, but the {subject} {length}"
        " and an answer needs at least one.",
        param=param,
        code="context_length_exceeded",
    )


def calling_of(model: Model, request: ChatRequest) -> CallPolicy:
    """What the answer may call. Raises ApiError where the model can't, or is asked too much."""
    functions = [function.name for function in request.offered]
    if model.chat_format.tools is None and (functions or _has_calls(request.messages)):
        raise ApiError(
            400,
            f"The model '{request.model}' can't call tools: its chat template has none.",
            param="tools",
            code="unsupported_parameter",
        )
    match request.tool_choice:
        case NamedTool(function=named) if named.name not in functions:
            raise ApiError(400, "'tool_choice' names none of the tools.", param="tool_choice")
        case NamedTool(function=named):
            return CallPolicy(frozenset([named.name]), must_call=True, parallel=False)
        case "required" if not functions:
            raise ApiError(
                400, "'tool_choice' is required, but there are no tools.", param="tool_choice"
            )
    must_call = request.tool_choice == "required"
    return CallPolicy(frozenset(functions), must_call, request.parallel_tool_calls is not False)


def _has_calls(messages: list[Message]) -> bool:
    return any(
        message.role == "tool" or (message.role == "assistant" and message.tool_calls)
        for message in messages
    )


def form_of(model: Model, request: ChatRequest, calling: CallPolicy) -> Form | None:
    """What the answer is held to; compiling takes milliseconds, the first time seconds.

    Raises ApiError where a schema can't be kept.
    """
    answer = request.response_format.schema_to_keep if request.response_format else None
    offered = request.offered
    own = model.chat_format.own_tools([function.model_dump() for function in offered])
    functions = [
        Function(
            function.name,
            _arguments_rule(function, f"tools[{number}].function.parameters"),
            own=function.name in own,
        )
        for number, function in enumerate(offered)
        if function.name in calling.functions
    ]
    if answer is None and not functions:
        return None
    if answer is not None:
        with _refused("response_format", "answers"):
            check(answer)
    rules = Rules(functions, calling.must_call, calling.parallel, answer)
    grammars = model.chat_format.grammars
    with _refused("tools" if functions else "response_format", "this model's turns"):
        if model.chat_format.reasoning is ReasoningStyle.HARMONY:
            return Form(grammars.grammar(rules.harmony_message()), answer is not None)
        return Form(grammars.grammar(rules.tagged_answer()), holds_answers=True)


def _arguments_rule(function: FunctionDefinition, param: str) -> str:
    with _refused(param, "arguments"):
        return arguments_rule(function.parameters, strict=bool(function.strict))


@contextmanager
def _refused(param: str, what: str) -> Iterator[None]:
    """A schema that `what` can't be held to is refused as the field `param`."""
    try:
        yield
    except GrammarError as error:
        raise ApiError(
            400,
            f"Invalid value for '{param}': {what} can't be held to this schema: {error}.",
            param=param,
            code="unsupported_parameter",
        ) from error


@dataclass(frozen=True)
class PreparedRequest:
    """What the engine runs, what reads its tokens, and how many they may be."""

    sequence: Sequence
    generation: Generation
    max_tokens: int


def prepare(
    model: Model,
    request: ChatRequest,
    prompt: list[int],
    calling: CallPolicy,
    form: Form | None,
) -> PreparedRequest:
    """A chat completion. Raises ApiError where the context has no room for an answer."""
    asked = request.max_completion_tokens or request.max_tokens
    max_tokens = _max_tokens(model, prompt, asked, "messages")
    budget = None
    if model.chat_format.reasoning != ReasoningStyle.NONE:
        budget = reasoning_budget(max_tokens, request.effort)
    sequence = _sequence(model, request, prompt)
    generation = Generation(
        model.chat_format,
        sequence,
        max_tokens=max_tokens,
        stop=request.stop or [],
        reasoning_budget=budget,
        calling=calling,
        form=form,
    )
    return PreparedRequest(sequence, generation, max_tokens)


def prepare_text(model: Model, request: CompletionRequest, prompt: list[int]) -> PreparedRequest:
    """A completion of plain text. Raises ApiError as above, and for ids that no token has."""
    if not prompt:
        raise ApiError(400, "'prompt' is empty, and this model needs a beginning.", param="prompt")
    size = model.chat_format.vocabulary_size
    if max(prompt) >= size:
        raise ApiError(400, f"'prompt' has a token beyond the {size} there are.", param="prompt")
    max_tokens = _max_tokens(model, prompt, request.max_tokens, "prompt")
    sequence = _sequence(model, request, prompt)
    generation = Generation(
        model.chat_format,
        sequence,
        max_tokens=max_tokens,
        stop=request.stop or [],
        raw=True,
    )
    return PreparedRequest(sequence, generation, max_tokens)


def _max_tokens(model: Model, prompt: list[int], asked: int | None, param: str) -> int:
    context = model.engine.context
    room = context - len(prompt)
    if room < 1:
        raise too_long(context, f"{len(prompt)} tokens", param)
    return min(asked or room, room)


def _sequence(model: Model, request: GenerationRequest, prompt: list[int]) -> Sequence:
    asked = request.model_dump(include=SAMPLING_FIELDS, exclude_none=True)
    return Sequence(prompt, replace(model.sampling, **asked), cache_salt=request.cache_salt)
