"""From a request to what the engine runs and what reads its tokens."""

from dataclasses import fields, replace

from bot.inference.engines.base import Sampling, Sequence
from bot.inference.grammar.json_schema import Grammar, GrammarError
from bot.inference.server.errors import ApiError
from bot.inference.server.model import Model
from bot.inference.server.requests import ChatRequest, Message
from bot.inference.server.tools import NamedTool
from bot.inference.text.generation import Calling, Generation, reasoning_budget
from bot.inference.text.prompt import ReasoningStyle, ToolStyle

SAMPLING_FIELDS = {field.name for field in fields(Sampling)}


def too_long(context: int, length: str) -> ApiError:
    """The refusal of a prompt of `length` for a model with so much `context`, in tokens."""
    return ApiError(
        400,
        f"The model's context is {context} tokens, but the messages are {length}"
        " and an answer needs at least one.",
        param="messages",
        code="context_length_exceeded",
    )


def calling_of(model: Model, request: ChatRequest) -> Calling:
    """What the answer may call. Raises ApiError where the model can't, or is asked too much."""
    functions = [function.name for function in request.offered]
    if model.chat_format.tools is None and (functions or _has_calls(request.messages)):
        raise ApiError(
            400,
            f"The model '{request.model}' can't call tools: its chat template has none.",
            param="tools",
            code="unsupported_parameter",
        )
    function = None
    match request.tool_choice:
        case NamedTool(function=named):
            function = named.name
        case "required":
            function = functions[0] if len(functions) == 1 else ""
    if function is not None and function not in functions:
        raise ApiError(
            400,
            "'tool_choice' can name one of the tools, or be required where there is one tool.",
            param="tool_choice",
        )
    return Calling(frozenset(functions), function, request.parallel_tool_calls is not False)


def _has_calls(messages: list[Message]) -> bool:
    return any(
        message.role == "tool" or (message.role == "assistant" and message.tool_calls)
        for message in messages
    )


def grammar_of(model: Model, request: ChatRequest) -> Grammar | None:
    """What the answer is held to; compiling takes milliseconds, the first one seconds.

    Raises ApiError where the schema or the engine can't do that.
    """
    form = request.response_format
    if form is None or (schema := form.schema_to_keep) is None:
        return None
    if not model.engine.follows_masks:
        reason = "the engine of this model holds answers to no form yet"
    elif model.chat_format.tools is ToolStyle.TAGS and request.offered:
        reason = "with tools, this model's answers can't be held to a form"
    else:
        try:
            return model.chat_format.grammars.grammar(schema)
        except GrammarError as error:
            reason = f"answers can't be held to this schema: {error}"
    raise ApiError(
        400,
        f"'response_format' can't be {form.type}: {reason}.",
        param="response_format",
        code="unsupported_parameter",
    )


def prepare(
    model: Model,
    request: ChatRequest,
    prompt: list[int],
    calling: Calling,
    grammar: Grammar | None,
) -> tuple[Sequence, Generation, int]:
    """What the engine runs, what reads its tokens, and how many they may be."""
    context = model.engine.context
    room = context - len(prompt)
    if room < 1:
        raise too_long(context, f"{len(prompt)} tokens")
    max_tokens = min(request.max_completion_tokens or request.max_tokens or room, room)
    budget = None
    if model.chat_format.reasoning != ReasoningStyle.NONE:
        budget = reasoning_budget(max_tokens, request.effort)
    asked = request.model_dump(include=SAMPLING_FIELDS, exclude_none=True)
    sampling = replace(model.sampling, **asked)
    sequence = Sequence(prompt, sampling, cache_salt=request.cache_salt)
    generation = Generation(
        model.chat_format,
        sequence,
        max_tokens=max_tokens,
        stop=request.stop or [],
        reasoning_budget=budget,
        calling=calling,
        grammar=grammar,
    )
    return sequence, generation, max_tokens
