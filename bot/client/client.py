"""The bot's side of the wire: OpenAI's streaming chat completions.

Works against `bot serve` and any other OpenAI-compatible server; what only `bot serve` sends
(queue place, reasoning kind, exact token counts) is optional.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx2
import structlog
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import ValidationError

from bot.certificates import tls_context
from bot.client.calls import CallAssembler
from bot.client.errors import (
    FieldsRefused,
    InferenceError,
    RequestRefused,
    Unreachable,
    connection_error,
    event_error,
    refusal,
)
from bot.client.events import CallDelta, Chunk, Event, Finished, merged
from bot.client.metrics import ServiceMetrics
from bot.client.state import Health, ModelInfo, ModelList

log = structlog.get_logger()

TRACE = TraceContextTextMapPropagator()
"""Writes `traceparent`: https://www.w3.org/TR/trace-context/"""
CONNECT_SECONDS = 5.0
STREAMING = httpx2.Timeout(600.0, connect=CONNECT_SECONDS)
"""A stream that sends nothing for so many seconds is taken for dead."""
NO_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
"""Requests wait in the service's queue, which is fair and tells their places."""
POLL_SECONDS = 0.25
"""How often a loading service is asked for its progress."""

UNFINISHED = ("", "abort", "error")
"""Finish reasons of an answer that did not come to its end; the latter two are vLLM's."""
REASONING = ("reasoning_content", "reasoning")
"""What a message's reasoning is called, by different servers."""


class InferenceClient:
    """One inference service. Opens connections as needed; `close` ends them."""

    def __init__(self, url: str, api_key: str, model: str) -> None:
        parts = urlsplit(url)
        has_path = parts.path.strip("/")
        self._base = url.rstrip("/") if has_path else f"{parts.scheme}://{parts.netloc}/v1"
        self._root = self._base.removesuffix("/v1")  # of /health and /tokenize
        self._http = httpx2.AsyncClient(
            timeout=CONNECT_SECONDS,
            limits=NO_LIMITS,
            trust_env=False,
            verify=tls_context(),
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
        )
        self.model = model
        self._info: ModelInfo | None = None
        self._next_health: asyncio.Task[Health] | None = None
        self.takes_only_plain = False
        """Whether the server has refused what goes beyond OpenAI's oldest fields."""
        self._refuses_tools = False
        self.refuses_dots = False
        """Whether names of tools may have no dots, as with OpenAI's own server."""

    async def close(self) -> None:
        if self._next_health:
            self._next_health.cancel()
        await self._http.aclose()

    async def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        request_id: str,
        effort: str,
        max_tokens: int,
        user: str,
        weight: float = 1.0,
        cache_salt: str = "",
        sampling: dict[str, float] | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
        may_call: bool = True,
    ) -> AsyncGenerator[Event, None]:
        """Stream the answer to `messages`. Closing the iterator cancels the request.

        The service's logs call the request `request_id` too, as vLLM's do. `weight` is the user's
        server's, which only `bot serve` knows. Only prompts with the same `cache_salt` share what
        is cached of them, as with vLLM. `sampling` may have `temperature`, `top_p` and `min_p`; the
        service has defaults for what is left out. The model may call the `tools`, OpenAI's
        definitions, unless `may_call` is false: its calls come whole, with the end; their pieces
        tell that they are coming.
        Raises InferenceError.
        """
        sampling = dict(sampling or {})
        extra: dict[str, Any] = {"min_p": sampling.pop("min_p")} if "min_p" in sampling else {}
        if weight != 1:
            extra["weight"] = weight
        model = await self.model_info()
        if cache_salt and model.salts_cache:
            extra["cache_salt"] = cache_salt
        extra |= {
            "stream_options": {"include_usage": True},
            "reasoning_effort": effort,
            "max_completion_tokens": max_tokens,
            "user": user,
        }
        headers = {"X-Request-Id": request_id}
        TRACE.inject(headers)
        plain: dict[str, Any] = {
            "model": model.id,
            "messages": messages,
            "stream": True,
            "max_tokens": max_tokens,  # for servers that don't know its newer name
            **sampling,
        }
        if tools:
            plain["tools"] = list(tools)
            if not may_call:
                plain["tool_choice"] = "none"
        finished: Finished | None = None
        calls = CallAssembler()
        try:
            async with self._answered(plain, extra, headers) as response:
                async for chunk in _chunks(response):
                    if chunk.error:
                        raise event_error(chunk.error)
                    for event in chunk.events():
                        if isinstance(event, Finished):
                            finished = event if finished is None else merged(finished, event)
                            continue
                        if isinstance(event, CallDelta):
                            calls.add(event)
                        yield event
        except httpx2.HTTPError as error:
            raise connection_error(error) from error
        if finished is None or finished.reason in UNFINISHED:
            raise Unreachable("the stream ended before the answer did")
        yield replace(finished, calls=calls.whole())

    @asynccontextmanager
    async def _answered(
        self, plain: dict[str, Any], extra: dict[str, Any], headers: dict[str, str]
    ) -> AsyncIterator[httpx2.Response]:
        """The stream that answers `plain` and `extra`, or only `plain` if they are refused."""
        try:
            response = await self._post_chat(plain | extra, headers)
        except FieldsRefused as error:
            if error.of_tools and "tools" in plain and not self.takes_only_plain:
                raise  # it is asked without them first
            plain = plain | {"messages": [_without_reasoning(m) for m in plain["messages"]]}
            response = await self._post_chat(plain, headers)
            if not self.takes_only_plain:
                log.warning(
                    "the server refuses some fields, so it gets none of them", fields=[*extra]
                )
                self.takes_only_plain = True
        try:
            yield response
        finally:
            await response.aclose()

    async def _post_chat(self, body: dict[str, Any], headers: dict[str, str]) -> httpx2.Response:
        """The stream that was opened, to be closed by the caller. Raises InferenceError."""
        request = self._http.build_request(
            "POST", f"{self._base}/chat/completions", json=body, headers=headers, timeout=STREAMING
        )
        response = await self._http.send(request, stream=True)
        if response.is_success:
            return response
        try:
            await response.aread()
        finally:
            await response.aclose()
        if response.status_code == 404:
            self._info = None  # it may serve another model by now
            self._refuses_tools = False
        raise refusal(response)

    async def health(self) -> Health:
        """The service's state. A server without `/health` that answers at all is ready."""
        try:
            response = await self._http.get(f"{self._root}/health")
        except httpx2.HTTPError as error:
            return Health("connecting", detail=str(connection_error(error)))
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

    async def metrics(self) -> ServiceMetrics:
        """What the service measures; all None where it tells nothing."""
        try:
            response = await self._http.get(f"{self._root}/metrics")
        except httpx2.HTTPError:
            return ServiceMetrics()
        return ServiceMetrics.read(response.text) if response.is_success else ServiceMetrics()

    async def version(self) -> str | None:
        """The service's version, where it tells (vLLM's `/version`)."""
        try:
            response = await self._http.get(f"{self._root}/version")
            version = response.json().get("version") if response.is_success else None
        except (httpx2.HTTPError, ValueError, AttributeError):
            return None
        return version if isinstance(version, str) else None

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

    async def takes_tools(self) -> bool:
        """Whether tools may be offered: the server says so, or has not refused them yet.

        Raises InferenceError.
        """
        return (await self.model_info()).tools and not self._refuses_tools

    def refuse_tools(self) -> None:
        """Remember that the same request was answered without tools, and with them refused."""
        if not self._refuses_tools:
            log.warning("the server or its model can't call tools, so it is offered none")
        self._refuses_tools = True

    async def _ask_model_info(self) -> ModelInfo:
        try:
            # `transformers serve` without a cache fails here and closes, without saying so.
            response = await self._http.get(
                f"{self._base}/models", headers={"Connection": "close"}, timeout=STREAMING
            )
        except httpx2.HTTPError as error:
            raise connection_error(error) from error
        if response.is_success:
            try:
                found = ModelList.model_validate_json(response.content).find(self.model)
            except ValidationError:  # whatever it is that answers there
                found = None
            return found or ModelInfo(self.model)
        if response.status_code in (404, 405, 500, 501):  # a server without the list
            return ModelInfo(self.model)
        raise refusal(response)

    async def count_tokens(self, messages: Sequence[Mapping[str, Any]]) -> int | None:
        """Tokens of the prompt that `messages` make (vLLM's `/tokenize`); None if not offered."""
        try:
            body = {"model": (await self.model_info()).id, "messages": list(messages)}
            response = await self._http.post(f"{self._root}/tokenize", json=body)
            count = response.json().get("count") if response.is_success else None
        except (InferenceError, httpx2.HTTPError, ValueError, AttributeError):
            return None
        return count if isinstance(count, int) else None


def _without_reasoning(message: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key not in REASONING}


async def _chunks(response: httpx2.Response) -> AsyncIterator[Chunk]:
    """The events of a stream up to its last. Raises HTTPError, RequestRefused."""
    async for event in httpx2.EventSource(response):
        if event.data == "[DONE]":
            return
        try:
            yield Chunk.model_validate_json(event.data)
        except ValidationError as error:
            # Without its cause, which quotes the text.
            problem = error.errors(include_input=False, include_url=False)[0]["type"]
            raise RequestRefused(f"an event that isn't a chunk: {problem}") from None
