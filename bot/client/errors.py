"""Why an answer failed, or broke off."""

import json
import math
import re
import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from bot.one_line import one_line

BROKEN_OFF = ("engine_failed", "shutting_down")
"""Codes of `bot serve`'s error events after which another try makes sense; vLLM's are 5xx."""
TOO_LONG = re.compile(
    r"context.{0,9}(length|size|window)|maximum (model|prompt) length|prompt is too long", re.I
)
"""How vLLM, SGLang and llama.cpp say what OpenAI's code `context_length_exceeded` does."""
TOOLS = re.compile(r"\btools?\b|tool_choice|function.call", re.I)
"""What servers that can't call tools say, with whatever status."""
DEFAULT_RETRY_SECONDS = 10.0
LONGEST_RETRY_SECONDS = 3600.0


class InferenceError(Exception):
    """A request that got no complete answer; the message is for the log."""


class Unreachable(InferenceError):
    """No connection, or it broke off before the answer's end."""


class _TryLater(InferenceError):
    """`retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotReady(_TryLater):
    """The service is up but can't serve now (HTTP 502, 503, 504)."""


class Busy(_TryLater):
    """The queue is full (HTTP 429)."""


class PromptTooLong(InferenceError):
    """The prompt doesn't fit into the model's context."""


class RequestRefused(InferenceError):
    """The service refused or failed the request, and would do so again.

    of_tools: whether that may be because of the tools in it.
    """

    def __init__(self, message: str, *, of_tools: bool = False) -> None:
        super().__init__(message)
        self.of_tools = of_tools


class FieldsRefused(RequestRefused):
    """The service refused the request's form (HTTP 400 or 422)."""


class ServiceUnusable(Exception):
    """`bot serve` can't work as configured; it has said why on stderr."""


def refusal(response: httpx2.Response) -> InferenceError:
    """The error for a response other than 2xx, whose body has been read."""
    # The text of an error can quote the prompt, so only its code and status are kept.
    status, body = response.status_code, _json(response)
    code = _code(body.get("error", body) if isinstance(body, dict) else body)
    summary = f"HTTP {status} {code}".strip()
    match status:
        case 429:
            return Busy(summary, _retry_after(response, DEFAULT_RETRY_SECONDS))
        case 502 | 503 | 504:
            return NotReady(summary, _retry_after(response, 0.0))
        case 400 | 413 | 422 if _says_too_long(code, response.text):
            return PromptTooLong(summary)
        case 400 | 422:
            return FieldsRefused(summary, of_tools=_names_tools(response.text))
        case _:
            return RequestRefused(summary, of_tools=_names_tools(response.text))


def event_error(error: object) -> InferenceError:
    """The error for an error event inside the stream. vLLM's codes there are those of HTTP."""
    code = _code(error)
    summary = f"error event {code}"
    if code in BROKEN_OFF or code.startswith("5"):
        return Unreachable(summary)
    if _says_too_long(code, str(error)):
        return PromptTooLong(summary)
    return RequestRefused(summary, of_tools=_names_tools(str(error)))


def connection_error(error: httpx2.HTTPError) -> Unreachable:
    """The error for a connection that failed or broke."""
    name = type(error).__name__
    return Unreachable(f"{name}: {one_line(error)}" if str(error) else name)


def _json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None


def _code(error: object) -> str:
    """The code in OpenAI's error object, which is a number with vLLM."""
    code = error.get("code") if isinstance(error, dict) else None
    return str(code) if isinstance(code, str | int) else ""


def _says_too_long(code: str, text: str) -> bool:
    return code == "context_length_exceeded" or bool(TOO_LONG.search(text))


def _names_tools(text: str) -> bool:
    return bool(TOOLS.search(text))


def _retry_after(response: httpx2.Response, default: float) -> float:
    """Seconds, of a header that has them or a date (RFC 9110, 10.2.3)."""
    header = response.headers.get("retry-after", "")
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, OverflowError):
            seconds = math.nan
    return min(seconds, LONGEST_RETRY_SECONDS) if seconds >= 0 else default
