"""What comes of an answer while it is streamed."""

from dataclasses import dataclass
from typing import Any


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
class Finished:
    """The end of an answer. `reason` is `stop`, or `length` when its token budget was used up."""

    reason: str
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0


Event = Queued | ReasoningDelta | TextDelta | Finished


def events_in(chunk: Any) -> list[Event]:
    """What one chunk of the stream tells."""
    events: list[Event] = []
    if queue := (chunk.model_extra or {}).get("queue"):
        events.append(Queued(queue["position"], queue.get("eta_seconds")))
    for choice in (chunk.choices or [])[:1]:
        extra = choice.delta.model_extra or {}
        # DeepSeek's name and the one that vLLM has now; some of its versions sent both.
        if reasoning := extra.get("reasoning_content") or extra.get("reasoning"):
            events.append(ReasoningDelta(reasoning))
        if choice.delta.content:
            events.append(TextDelta(choice.delta.content))
        if choice.finish_reason:
            events.append(Finished(choice.finish_reason))
    if usage := chunk.usage:
        prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
        events.append(
            Finished(
                "",
                usage.prompt_tokens or 0,
                (prompt and prompt.cached_tokens) or 0,
                usage.completion_tokens or 0,
                (completion and completion.reasoning_tokens) or 0,
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
