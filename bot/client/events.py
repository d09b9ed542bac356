"""The events of a streamed answer, and their form on the wire."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator

from bot.client.wire import WireModel


@dataclass(frozen=True)
class Queued:
    """The request waits; `position` 1 is next. `eta_seconds` is None while no speed is known."""

    position: int
    eta_seconds: float | None


@dataclass(frozen=True)
class ReasoningDelta:
    text: str


@dataclass(frozen=True)
class TextDelta:
    text: str


@dataclass(frozen=True)
class ToolCall:
    """A call that the model wants made. `arguments` are as it wrote them: JSON, if all is well."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class CallDelta:
    """A piece of a call; `index` says of which, where a server counts them."""

    index: int | None
    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Finished:
    """The end of an answer. `reason` is `stop`, or `length` when its token budget was used up."""

    reason: str
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    calls: tuple[ToolCall, ...] = ()


Event = Queued | ReasoningDelta | TextDelta | CallDelta | Finished


def _as_text(arguments: Any) -> Any:
    """Some servers send the object itself."""
    return json.dumps(arguments) if isinstance(arguments, dict) else arguments


class _Function(WireModel):
    name: str | None = None
    arguments: Annotated[str | None, BeforeValidator(_as_text)] = None


class _Call(WireModel):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None

    def event(self) -> CallDelta:
        function = self.function or _Function()
        return CallDelta(self.index, self.id or "", function.name or "", function.arguments or "")


class _Delta(WireModel):
    content: str | None = None
    reasoning_content: str | None = None
    """DeepSeek's name for it."""
    reasoning: str | None = None
    """The name that vLLM has now; some of its versions send both."""
    tool_calls: list[_Call] | None = None


class _Choice(WireModel):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Queue(WireModel):
    position: int
    eta_seconds: float | None = None


class _PromptDetails(WireModel):
    cached_tokens: int | None = None


class _CompletionDetails(WireModel):
    reasoning_tokens: int | None = None


class _Usage(WireModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class Chunk(WireModel):
    """One event of the stream, as far as the bot looks at it."""

    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    queue: _Queue | None = None
    error: Any = None

    def events(self) -> list[Event]:
        """What the chunk tells."""
        events: list[Event] = []
        if self.queue:
            events.append(Queued(self.queue.position, self.queue.eta_seconds))
        for choice in (self.choices or [])[:1]:
            delta = choice.delta or _Delta()
            if reasoning := delta.reasoning_content or delta.reasoning:
                events.append(ReasoningDelta(reasoning))
            if delta.content:
                events.append(TextDelta(delta.content))
            events += [call.event() for call in delta.tool_calls or ()]
            if choice.finish_reason:
                events.append(Finished(choice.finish_reason))
        if usage := self.usage:
            prompt = usage.prompt_tokens_details or _PromptDetails()
            completion = usage.completion_tokens_details or _CompletionDetails()
            events.append(
                Finished(
                    "",
                    usage.prompt_tokens or 0,
                    prompt.cached_tokens or 0,
                    usage.completion_tokens or 0,
                    completion.reasoning_tokens or 0,
                )
            )
        return events


def merged(first: Finished, second: Finished) -> Finished:
    """The finish reason and the usage come in different chunks, in either order."""
    usage = max(first, second, key=lambda f: f.prompt_tokens + f.completion_tokens)
    return Finished(
        first.reason or second.reason,
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.completion_tokens,
        usage.reasoning_tokens,
    )
