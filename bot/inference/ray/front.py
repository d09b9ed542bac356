"""The front: takes requests, has replicas answer them, and says so when one dies in between."""

import asyncio
import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog
from prometheus_client import CONTENT_TYPE_LATEST
from ray.exceptions import ActorUnavailableError, RayActorError
from ray.serve.exceptions import DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.inference.ray.affinity import conversation_key
from bot.inference.ray.call import BufferedRequest, ResponsePart
from bot.inference.ray.joined import joined_health, joined_metrics
from bot.inference.server.endpoints import RESPONSES
from bot.inference.server.errors import ApiError
from bot.inference.server.gate import Gate
from bot.inference.server.service import NOT_READY_SECONDS

log = structlog.get_logger()

ASSIGN_SECONDS = 4.0
"""In which a replica must have taken a request."""
TELL_SECONDS = 2.0
"""In which a replica must have told of itself; clients of /health wait 5."""
LOST = ApiError(500, "The replica that answered has died.", code="engine_failed")
NONE_READY = ApiError(
    503, "No replica can answer now.", code="not_ready", retry_after=NOT_READY_SECONDS
)
REFUSALS = (429, 503)
"""Of a replica whose queue is full, or that is on its way out: another one may have room."""


class Front:
    """Ray's deployment; its application is made where it runs."""

    def __init__(self, replicas: DeploymentHandle, api_key: str) -> None:
        self._replicas, self._api_key = replicas, api_key

    def __serve_build_asgi_app__(self) -> ASGIApp:
        return front(self._replicas, self._api_key)


def front(replicas: DeploymentHandle, api_key: str) -> ASGIApp:
    """The application before `replicas`. What they would refuse for its key costs them nothing."""

    async def health(request: Request) -> Response:
        joined = joined_health(await _of_all(replicas, "health"))
        return JSONResponse(joined.model_dump(), 200 if joined.status == "ready" else 503)

    async def metrics(request: Request) -> Response:
        texts = await _of_all(replicas, "metrics")
        return Response(joined_metrics(texts), media_type=CONTENT_TYPE_LATEST)

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _refuse(request, ApiError(error.status_code, f"{error.detail}."))

    async def unavailable(request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        return _refuse(request, error)

    app = Starlette(
        routes=[
            Route("/health", health),
            Route("/metrics", metrics),
            Route("/{path:path}", _Forwarder(replicas)),
        ],
        exception_handlers={HTTPException: refused, ApiError: unavailable},
    )
    gate = Gate(app, api_key, (), _refuse, (), lambda: None)

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        # A browser sends no key when it asks whether it may ask; a replica answers that.
        asks_whether = scope["type"] == "http" and scope["method"] == "OPTIONS"
        await (app if asks_whether else gate)(scope, receive, send)

    return guarded


class _Forwarder:
    """Hands requests to replicas, and again to others as long as nothing of an answer was shown."""

    def __init__(self, replicas: DeploymentHandle) -> None:
        self._replicas = replicas.options(stream=True, method_name="answer")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = await _call(scope, receive)
        response = _Response(send)
        while True:
            parts = self._replicas.remote(call)
            try:
                refused_by = await self._pass_on(parts, call, response)
            except RayActorError as error:
                log.warning("a replica was lost", begun=response.begun, kind=type(error).__name__)
                if response.begun:
                    await response.break_off(call.path, LOST)
                    return
                if isinstance(error, ActorUnavailableError):
                    await asyncio.sleep(1)  # Ray doesn't know yet whether it is dead
                continue
            finally:
                parts.cancel()
            if refused_by is None:
                return
            call = replace(call, avoid=call.avoid | {refused_by})

    async def _pass_on(
        self, parts: Any, call: BufferedRequest, response: "_Response"
    ) -> str | None:
        """The response of one replica; or the replica, if it refused and another can be asked.

        Raises RayActorError, ApiError.
        """
        try:
            async with asyncio.timeout(ASSIGN_SECONDS):
                first: ResponsePart = await anext(parts)
        except (TimeoutError, DeploymentUnavailableError):
            if not response.started:
                raise NONE_READY from None
            await response.break_off(call.path, NONE_READY)
            return None
        async for part in parts:
            response.begun |= part.begun
            for message in part.messages:
                refused = message.get("status") in REFUSALS and first.replica not in call.avoid
                if refused:
                    return first.replica
                await response.send(call.path, message)
        return None


class _Response:
    """What the client gets. `begun`: it has seen something of the answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = self.begun = False
        self._refused = False
        """Whether a later replica refused what an earlier one had begun to stream."""

    async def send(self, path: str, message: Message) -> None:
        """Pass on what a replica sends; the head only once."""
        if message["type"] == "http.response.start" and self.started:
            self._refused = message["status"] >= 400
        elif self._refused:
            if not message.get("more_body"):
                await self.break_off(path, NONE_READY)
        else:
            self.started = True
            await self._send(message)

    async def break_off(self, path: str, error: ApiError) -> None:
        """End a stream with an error event, which says what a cut connection would not."""
        body = error.body()
        if path == RESPONSES:
            event = {"type": "error", "sequence_number": 0, **body["error"]}
            text = f"event: error\ndata: {json.dumps(event)}\n\n"
        else:
            text = f"data: {json.dumps(body)}\n\ndata: [DONE]\n\n"
        self.begun = True
        await self._send({"type": "http.response.body", "body": text.encode(), "more_body": False})


async def _call(scope: Scope, receive: Receive) -> BufferedRequest:
    body = b"" if scope["method"] == "OPTIONS" else await Request(scope, receive).body()
    key = conversation_key(body)
    headers = list(scope["headers"])  # with an X-Request-Id: Ray's proxy adds one
    return BufferedRequest(
        scope["method"], scope["path"], scope["query_string"], headers, body, key
    )


async def _of_all(replicas: DeploymentHandle, method: str) -> list[Any]:
    """What `method` of each replica returns.

    If one of them hangs, that of another one: Ray gives the results of all or none.
    """
    with suppress(TimeoutError, DeploymentUnavailableError, RayActorError):
        try:
            asked = replicas.broadcast(method)
            found = await asked.results_async(timeout_s=TELL_SECONDS, return_exceptions=True)
            return [result for result in found if not isinstance(result, BaseException)]
        except TimeoutError:
            async with asyncio.timeout(TELL_SECONDS):
                # The one that hangs still has the first question, so it isn't the least busy.
                return [await replicas.options(method_name=method).remote()]
    return []


def _refuse(
    request: Request, error: ApiError, headers: Mapping[str, str] | Collection[Any] = ()
) -> Response:
    retry = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
    return JSONResponse(error.body(), error.status, {**dict(headers), **retry})
