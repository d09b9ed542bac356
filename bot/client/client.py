"""The bot's side of the wire: OpenAI's streaming chat completions.

Works against `bot serve` and any other OpenAI-compatible server; what only `bot serve` sends
(queue place, reasoning kind, exact token counts) is optional.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
import structlog
from openai import AsyncOpenAI
from opentelemetry import propagate

from bot.client.errors import (
    InferenceError,
    Refused,
    Unreachable,
    event_error,
    is_too_long,
    reason_of,
    status_error,
)
from bot.client.events import Event, Finished, events_in, merged
from bot.client.state import Health, ModelInfo

log = structlog.get_logger()

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 600.0
"""A stream that sends nothing for so long is taken for dead."""
NO_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
"""Who waits, waits in the service's queue, where it is fair and told."""
POLL_SECONDS = 0.25
"""How often a service that loads is asked how far it is."""

UNFINISHED = ("", "abort", "error")
"""Finish reasons of an answer that did not come to its end; the latter two are vLLM's."""


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
                    for event in events_in(chunk):
                        if isinstance(event, Finished):
                            finished = event if finished is None else merged(finished, event)
                        else:
                            yield event
        except openai.APIStatusError as error:
            if error.status_code == 404:
                self._info = None  # it may serve another model by now
            raise status_error(error) from error
        except openai.APIConnectionError as error:
            raise Unreachable(reason_of(error)) from error
        except openai.APIError as error:  # an error event inside the stream
            raise event_error(error) from error
        except json.JSONDecodeError as error:
            raise Refused("an event that is no JSON") from error
        except httpx2.HTTPError as error:  # the connection broke inside the stream
            raise Unreachable(reason_of(error)) from error
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
            if error.status_code not in (400, 422) or is_too_long(error):
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
            return Health("connecting", detail=reason_of(error))
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
            raise Unreachable(reason_of(error)) from error
        except openai.APIStatusError as error:
            if error.status_code not in (404, 405, 500, 501):
                raise status_error(error) from error
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
