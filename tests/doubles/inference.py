"""A scripted OpenAI-compatible server on a real socket, which says and breaks what a test wants."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web


@dataclass
class Say:
    """One chunk's delta."""

    text: str = ""
    reasoning: str = ""


@dataclass
class Call:
    """A call of a tool, in two chunks of most servers; the answer then ends with `tool_calls`."""

    name: str
    arguments: dict[str, Any] | str = field(default_factory=dict)
    id: str = ""


@dataclass
class Queue:
    """One chunk that tells the place in the queue."""

    position: int
    eta_seconds: float | None = None


@dataclass
class Wait:
    """Go on once `event` is set."""

    event: asyncio.Event


class Drop:
    """Break the connection off."""


@dataclass
class Fail:
    """Send an error inside the stream, which ends it."""

    code: str = "engine_failed"
    message: str = "scripted"


@dataclass
class Raw:
    """Send an event that is whatever `data` is."""

    data: str


@dataclass
class Error:
    """Answer with this status instead of a stream."""

    status: int
    code: str = "scripted"
    message: str = "scripted"
    headers: dict[str, str] = field(default_factory=dict)


Step = Say | Call | Queue | Wait | Drop | Fail | Raw | Error
Script = list[Step]


class ScriptedInference:
    """Plays `scripts` in turn, one a request; after them it answers `default`."""

    def __init__(self) -> None:
        self.scripts: deque[Script] = deque()
        self.default: Script = [Say("Hello there.")]
        self.requests: list[dict[str, Any]] = []
        self.cancelled = asyncio.Event()
        """Set when a client closed a stream before its end."""
        self.streaming = 0
        """Answers that are being streamed now."""
        self.asked = asyncio.Event()
        """Set when a request has come in."""
        self.health_asked = 0
        self.ready = True
        self.stage = "loading"
        self.progress: float | None = 0.5
        self.state: dict[str, Any] = {"running": 0, "waiting": 0}
        """What `/health` tells of a service that is ready."""
        self.counts_tokens = True
        self.lists_models = True
        self.is_a_web_page = False
        """Whether something else answers at this address."""
        self.model: dict[str, Any] = {
            "id": "scripted",
            "object": "model",
            "created": 0,
            "owned_by": "gptoss-bot",
            "max_model_len": 8192,
            "reasoning": "none",
        }
        self.finish_reason = "stop"
        self.metrics = b""
        """What it answers at `/metrics`; empty: there is nothing."""
        self.version = ""
        """Likewise at `/version`."""
        self.api_key = ""
        """What `/v1` asks for; empty: nothing."""
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        application = web.Application(middlewares=[self._guarded])
        application.add_routes(
            [
                web.get("/health", self._health),
                web.get("/metrics", self._metrics),
                web.get("/version", self._version),
                web.get("/v1/models", self._models),
                web.post("/tokenize", self._tokenize),
                web.post("/v1/chat/completions", self._chat),
            ]
        )
        runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/v1"
        try:
            yield self
        finally:
            await runner.cleanup()

    def script(self, *steps: Step) -> None:
        """What the next request that has no script yet gets."""
        self.scripts.append(list(steps))

    @property
    def prompts(self) -> list[list[dict[str, str]]]:
        """The messages of every request so far."""
        return [request["messages"] for request in self.requests]

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Any) -> Any:
        if self.is_a_web_page:
            return web.Response(text="<html>Welcome</html>", content_type="text/html")
        sent = request.headers.get("Authorization")
        if self.api_key and request.path.startswith("/v1") and sent != f"Bearer {self.api_key}":
            return web.json_response(self.unauthorized(), status=401)
        return await handler(request)

    async def _health(self, _: web.Request) -> web.Response:
        self.health_asked += 1
        if self.ready:
            return web.json_response({"status": "ready"} | self.state)
        body = {"status": self.stage, "progress": self.progress, "detail": ""}
        return web.json_response(body, status=503)

    async def _metrics(self, _: web.Request) -> web.Response:
        if not self.metrics:
            raise web.HTTPNotFound
        return web.Response(body=self.metrics, content_type="text/plain")

    async def _version(self, _: web.Request) -> web.Response:
        if not self.version:
            raise web.HTTPNotFound
        return web.json_response({"version": self.version})

    async def _models(self, _: web.Request) -> web.Response:
        if not self.lists_models:
            raise web.HTTPNotFound
        return web.json_response({"object": "list", "data": [self.model]})

    async def _tokenize(self, request: web.Request) -> web.Response:
        if not self.counts_tokens:
            raise web.HTTPNotFound
        count = self.count((await request.json())["messages"])
        return web.json_response({"count": count, "max_model_len": self.model["max_model_len"]})

    def script_for(self, request: dict[str, Any]) -> Script:
        """What a request gets."""
        return self.scripts.popleft() if self.scripts else self.default

    def count(self, messages: list[dict[str, str]]) -> int:
        """Tokens of a prompt: one a word, and four around each message."""
        return sum(len(m["content"].split()) + 4 for m in messages)

    def opening(self) -> list[dict[str, Any]]:
        """The deltas before what a script says."""
        return []

    def delta(self, step: Say) -> dict[str, Any]:
        """The delta that says `step`."""
        return {"content": step.text} if step.text else {"reasoning_content": step.reasoning}

    def call_deltas(self, call: Call, index: int, id: str) -> list[dict[str, Any]]:
        """The deltas that make `call`."""
        arguments = call.arguments
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        head = {"name": call.name, "arguments": ""}
        return [
            {"tool_calls": [{"index": index, "id": id, "type": "function", "function": head}]},
            {"tool_calls": [{"index": index, "function": {"arguments": text}}]},
        ]

    def error(self, status: int, code: str, message: str) -> dict[str, Any]:
        """The body of an HTTP error, or an error inside the stream (status 0)."""
        return {"error": {"message": message, "type": "x", "param": None, "code": code}}

    def unauthorized(self) -> dict[str, Any]:
        """The body of a 401."""
        return self.error(401, "invalid_api_key", "The API key is missing or wrong.")

    def usage(self) -> dict[str, Any]:
        """What the last chunk says of tokens."""
        return {
            "prompt_tokens": 10,
            "completion_tokens": 7,
            "total_tokens": 17,
            "completion_tokens_details": {"reasoning_tokens": 3},
        }

    def refusal(self, body: dict[str, Any]) -> Error | None:
        """The error for a request that this server never takes."""
        return None

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        self.asked.set()
        if error := self.refusal(self.requests[-1]):
            return self._refused(error)
        script = self.script_for(self.requests[-1])
        if isinstance(error := script[0], Error):
            return self._refused(error)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self.streaming += 1
        try:
            for delta in self.opening():
                await _send(response, _chunk(delta))
            calls = 0
            for step in script:
                if isinstance(step, Call):
                    await self._call(step, calls, response)
                    calls += 1
                    continue
                if isinstance(step, Drop):
                    assert request.transport is not None
                    request.transport.abort()
                    return response
                if isinstance(step, Fail):
                    await _send(response, self.error(0, step.code, step.message))
                    break
                await self._play(step, response)
            else:
                called = any(isinstance(step, Call) for step in script)
                reason = "tool_calls" if called else self.finish_reason
                await _send(response, _chunk({}, finish_reason=reason))
                await _send(response, _chunk(None) | {"usage": self.usage()})
            await response.write(b"data: [DONE]\n\n")
        except (asyncio.CancelledError, ConnectionResetError):
            self.cancelled.set()
            raise
        finally:
            self.streaming -= 1
        return response

    def _refused(self, error: Error) -> web.Response:
        body = self.error(error.status, error.code, error.message)
        return web.json_response(body, status=error.status, headers=error.headers)

    async def _call(self, call: Call, index: int, response: web.StreamResponse) -> None:
        id = call.id or f"call-{len(self.requests)}-{index}"
        for delta in self.call_deltas(call, index, id):
            await _send(response, _chunk(delta))

    async def _play(self, step: Step, response: web.StreamResponse) -> None:
        match step:
            case Say():
                await _send(response, _chunk(self.delta(step)))
            case Queue(position, eta_seconds):
                queue = {"position": position, "eta_seconds": eta_seconds}
                await _send(response, _chunk(None) | {"queue": queue})
            case Raw(data):
                await response.write(f"data: {data}\n\n".encode())
            case Wait(event):
                await event.wait()


def _chunk(delta: dict[str, Any] | None, finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "scripted",
        "choices": [] if delta is None else [choice],
    }


async def _send(response: web.StreamResponse, chunk: dict[str, Any]) -> None:
    await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
