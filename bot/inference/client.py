"""The bot's side of the wire: OpenAI's streaming chat completions.

Works against `bot serve` and any other OpenAI-compatible server; what only `bot serve` sends
(queue place, reasoning kind, exact token counts) is optional.
"""

import asyncio
import json
import math
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
import structlog
from openai import AsyncOpenAI
from opentelemetry import propagate

log = structlog.get_logger()

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 600.0
"""A stream that sends nothing for so long is taken for dead."""
NO_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
"""Who waits, waits in the service's queue, where it is fair and told."""
POLL_SECONDS = 0.25
"""How often a service that loads is asked how far it is."""

BROKEN_OFF = ("engine_failed", "shutting_down")
"""Codes of `bot serve`'s error events after which another try makes sense; vLLM's are 5xx."""
UNFINISHED = ("", "abort", "error")
"""Finish reasons of an answer that did not come to its end; the latter two are vLLM's."""
TOO_LONG = re.compile(
    r"context.{0,9}(length|size|window)|maximum (model|prompt) length|prompt is too long", re.I
)
"""How servers without OpenAI's `context_length_exceeded` say it: vLLM, SGLang, llama.cpp."""
LONGEST_RETRY_SECONDS = 3600.0


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


@dataclass(frozen=True)
class Health:
    """What `/health` says: `status` is `ready` or the stage on the way there."""

    status: str
    progress: float | None = None
    detail: str = ""
    metrics: dict[str, Any] | None = None

    @property
    def ready(self) -> bool:
        return self.status == "ready"


@dataclass(frozen=True)
class ModelInfo:
    """The model behind the service. `reasoning` and `context` are None where it doesn't tell."""

    id: str
    context: int | None = None
    reasoning: str | None = None


class InferenceClient:
    """One inference service. Opens connections as needed; `close` ends them."""

    def __init__(self, url: str, api_key: str, model: str) -> None:
        parts = urlsplit(url)
        has_path = parts.path.strip("/")
        base = url.rstrip("/") if has_path else f"{parts.scheme}://{parts.netloc}/v1"
        self._root = base.removesuffix("/v1")  # of /health and /tokenize
        timeout = httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
        self._openai = AsyncOpenAI(
            base_url=base,
            api_key=api_key or "none",  # the client insists on one
            max_retries=0,  # the responder decides what is tried again
            timeout=timeout,
            http_client=httpx2.AsyncClient(timeout=timeout, limits=NO_LIMITS, trust_env=False),
        )
        self._http = httpx2.AsyncClient(
            timeout=CONNECT_SECONDS,
            limits=NO_LIMITS,
            trust_env=False,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
        )
        self.model = model
        self._info: ModelInfo | None = None
        self._next_health: asyncio.Task[Health] | None = None
        self._told_plain = False

    async def close(self) -> None:
        if self._next_health:
            self._next_health.cancel()
        await self._openai.close()
        await self._http.aclose()

    async def chat(
        self,
        messages: list[dict[str, str]],
        *,
        id: str,
        effort: str,
        max_tokens: int,
        user: str,
        weight: float = 1.0,
        sampling: dict[str, float] | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Stream the answer to `messages`. Closing the iterator cancels the request.

        `id` is the service's for this request too, as with vLLM. `weight` is that of the user's
        server, which only `bot serve` knows. `sampling` may have `temperature`, `top_p` and
        `min_p`; left out, the service's own hold.
        Raises InferenceError.
        """
        sampling = dict(sampling or {})
        extra: dict[str, Any] = {"min_p": sampling.pop("min_p")} if "min_p" in sampling else {}
        if weight != 1:
            extra["weight"] = weight
        extra |= {
            "stream_options": {"include_usage": True},
            "reasoning_effort": effort,
            "max_completion_tokens": max_tokens,
            "user": user,
        }
        headers = {"X-Request-Id": id}
        propagate.inject(headers)
        plain: dict[str, Any] = {
            "model": (await self.model_info()).id,
            "messages": messages,
            "stream": True,
            "max_tokens": max_tokens,  # for servers that don't know its newer name
            **sampling,
        }
        finished: Finished | None = None
        try:
            async with await self._stream(plain, extra, headers) as stream:
                async for chunk in stream:
                    for event in _events(chunk):
                        if isinstance(event, Finished):
                            finished = event if finished is None else _merged(finished, event)
                        else:
                            yield event
        except openai.APIStatusError as error:
            if error.status_code == 404:
                self._info = None  # it may serve another model by now
            raise _status_error(error) from error
        except openai.APIConnectionError as error:
            raise Unreachable(_reason(error)) from error
        except openai.APIError as error:  # an error event inside the stream
            raise _event_error(error) from error
        except json.JSONDecodeError as error:
            raise Refused("an event that is no JSON") from error
        except httpx2.HTTPError as error:  # the connection broke inside the stream
            raise Unreachable(_reason(error)) from error
        if finished is None or finished.reason in UNFINISHED:
            raise Unreachable("the stream ended before the answer did")
        yield finished

    async def _stream(
        self, plain: dict[str, Any], extra: dict[str, Any], headers: dict[str, str]
    ) -> Any:
        """The chunks that answer `plain` and `extra`, or `plain` alone if they are refused."""
        create = self._openai.chat.completions.create
        try:
            return await create(**plain, extra_body=extra, extra_headers=headers)
        except openai.APIStatusError as error:
            if error.status_code not in (400, 422) or _is_too_long(error):
                raise
            stream = await create(**plain, extra_headers=headers)
            if not self._told_plain:
                log.warning(
                    "the server refuses some fields, so it gets none of them", fields=[*extra]
                )
                self._told_plain = True
            return stream

    async def health(self) -> Health:
        """The service's state. A server without `/health` that answers at all is ready."""
        try:
            response = await self._http.get(f"{self._root}/health")
        except httpx2.HTTPError as error:
            return Health("connecting", detail=_reason(error))
        try:
            body = response.json()
        except ValueError:
            body = {}
        if not isinstance(body, dict):
            body = {}
        if response.status_code in (502, 503, 504):
            progress = body.get("progress")
            return Health(str(body.get("status", "loading")), progress, str(body.get("detail", "")))
        return Health("ready", metrics=body)

    async def next_health(self) -> Health:
        """The service's state a moment later; all who wait meanwhile share one request."""
        if self._next_health is None or self._next_health.done():
            self._next_health = asyncio.create_task(self._health_later())
        return await asyncio.shield(self._next_health)

    async def _health_later(self) -> Health:
        await asyncio.sleep(POLL_SECONDS)
        return await self.health()

    async def model_info(self) -> ModelInfo:
        """The model that answers: the configured one, or the only one of another server.

        Asked for once. Raises InferenceError.
        """
        if self._info is None:
            self._info = await self._ask_model_info()
        return self._info

    async def _ask_model_info(self) -> ModelInfo:
        try:
            # `transformers serve` without a cache fails here and closes, without saying so.
            listing = await self._openai.models.list(extra_headers={"Connection": "close"})
        except openai.APIConnectionError as error:
            raise Unreachable(_reason(error)) from error
        except openai.APIStatusError as error:
            if error.status_code not in (404, 405, 500, 501):
                raise _status_error(error) from error
            return ModelInfo(self.model)  # a server without the list
        except openai.APIError:
            return ModelInfo(self.model)
        listed = getattr(listing, "data", None) or []  # whatever it is that answers there
        by_id = {model.id: model for model in listed}
        model = by_id.get(self.model) or (listed[0] if len(listed) == 1 else None)
        if model is None:
            return ModelInfo(self.model)
        extra = model.model_extra or {}
        return ModelInfo(model.id, extra.get("max_model_len"), extra.get("reasoning"))

    async def count_tokens(self, messages: list[dict[str, str]]) -> int | None:
        """Tokens of the prompt that `messages` make (vLLM's `/tokenize`); None if not offered."""
        try:
            body = {"model": (await self.model_info()).id, "messages": messages}
            response = await self._http.post(f"{self._root}/tokenize", json=body)
            count = response.json().get("count") if response.is_success else None
        except (InferenceError, httpx2.HTTPError, ValueError, AttributeError):
            return None
        return count if isinstance(count, int) else None


def _events(chunk: Any) -> list[Event]:
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


def _merged(first: Finished, second: Finished) -> Finished:
    """The finish reason and the usage come in different chunks, in either order."""
    usage = max(first, second, key=lambda f: f.prompt_tokens + f.completion_tokens)
    return Finished(
        first.reason or second.reason,
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.completion_tokens,
        usage.reasoning_tokens,
    )


def _status_error(error: openai.APIStatusError) -> InferenceError:
    # The text of an error can quote the prompt, so only its code and status are kept.
    summary = f"HTTP {error.status_code} {error.code or ''}".strip()
    match error.status_code:
        case 429:
            return Busy(summary, _retry_after(error))
        case 502 | 503 | 504:
            return NotReady(summary)
        case _:
            return PromptTooLong(summary) if _is_too_long(error) else Refused(summary)


def _event_error(error: openai.APIError) -> InferenceError:
    """What an error inside the stream means. vLLM's codes there are those of HTTP."""
    summary = f"error event {error.code}"
    if error.code in BROKEN_OFF or str(error.code).startswith("5"):
        return Unreachable(summary)
    return PromptTooLong(summary) if _is_too_long(error) else Refused(summary)


def _is_too_long(error: openai.APIError) -> bool:
    if isinstance(error, openai.APIStatusError) and error.status_code not in (400, 413, 422):
        return False
    return error.code == "context_length_exceeded" or bool(TOO_LONG.search(error.message))


def _retry_after(error: openai.APIStatusError) -> float:
    try:
        seconds = float(error.response.headers["retry-after"])
    except (KeyError, ValueError):  # it may also be a date
        seconds = math.nan
    return min(seconds, LONGEST_RETRY_SECONDS) if seconds >= 0 else 10.0


def _reason(error: Exception) -> str:
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__
