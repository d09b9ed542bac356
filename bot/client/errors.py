"""Why there is no answer, or no whole one."""

import math
import re

import openai

BROKEN_OFF = ("engine_failed", "shutting_down")
"""Codes of `bot serve`'s error events after which another try makes sense; vLLM's are 5xx."""
TOO_LONG = re.compile(
    r"context.{0,9}(length|size|window)|maximum (model|prompt) length|prompt is too long", re.I
)
"""How servers without OpenAI's `context_length_exceeded` say it: vLLM, SGLang, llama.cpp."""
LONGEST_RETRY_SECONDS = 3600.0


class InferenceError(Exception):
    """A request that got no complete answer; the message is for the log."""


class Unreachable(InferenceError):
    """No connection, or it broke off before the answer's end."""


class NotReady(InferenceError):
    """The service is up but can't serve yet (HTTP 503)."""


class Busy(InferenceError):
    """The queue is full (HTTP 429). `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PromptTooLong(InferenceError):
    """The prompt doesn't fit into the model's context."""


class Refused(InferenceError):
    """The service refused or failed the request, and would do so again."""


def status_error(error: openai.APIStatusError) -> InferenceError:
    """What a refusal means."""
    # The text of an error can quote the prompt, so only its code and status are kept.
    summary = f"HTTP {error.status_code} {error.code or ''}".strip()
    match error.status_code:
        case 429:
            return Busy(summary, _retry_after(error))
        case 502 | 503 | 504:
            return NotReady(summary)
        case _:
            return PromptTooLong(summary) if is_too_long(error) else Refused(summary)


def event_error(error: openai.APIError) -> InferenceError:
    """What an error inside the stream means. vLLM's codes there are those of HTTP."""
    summary = f"error event {error.code}"
    if error.code in BROKEN_OFF or str(error.code).startswith("5"):
        return Unreachable(summary)
    return PromptTooLong(summary) if is_too_long(error) else Refused(summary)


def is_too_long(error: openai.APIError) -> bool:
    """Whether a server says that the prompt doesn't fit into its context."""
    if isinstance(error, openai.APIStatusError) and error.status_code not in (400, 413, 422):
        return False
    return error.code == "context_length_exceeded" or bool(TOO_LONG.search(error.message))


def _retry_after(error: openai.APIStatusError) -> float:
    try:
        seconds = float(error.response.headers["retry-after"])
    except (KeyError, ValueError):  # it may also be a date
        seconds = math.nan
    return min(seconds, LONGEST_RETRY_SECONDS) if seconds >= 0 else 10.0


def reason_of(error: Exception) -> str:
    """One line about an error of the connection."""
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__
