"""The server: REST, gateway and files on one port, with limits, faults and a log of requests."""

import json
import random
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.multipart import BodyPartReader

from tests.doubles.discord.calls import Answer, Call, Handler
from tests.doubles.discord.errors import ApiError
from tests.doubles.discord.rate_limits import RateLimits, TooMany
from tests.doubles.discord.rest_application import Application
from tests.doubles.discord.rest_channels import Channels
from tests.doubles.discord.rest_interactions import Interactions
from tests.doubles.discord.state import Attachment
from tests.doubles.discord.world import World

API = "/api/v10"
FREE = ("/interactions/", "/webhooks/", "/gateway")
"""Where no token is asked for."""


@dataclass
class Fault:
    """Answers the next `times` calls of `method` whose path matches `path` with an error."""

    method: str
    path: str
    error: Exception
    times: int
    done_first: bool
    calls: list[Call] = field(default_factory=list)

    def strikes(self, call: Call) -> bool:
        matches = call.method == self.method and re.search(self.path, call.path)
        if not matches or len(self.calls) >= self.times:
            return False
        self.calls.append(call)
        return True


class DiscordDouble(World):
    """Discord. Its world can be built before or while it is `running()`."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = RateLimits()
        self.requests: list[Call] = []
        self.fault_rate = 0.0
        """The part of REST calls that is answered 429, 500 or 502."""
        self.faults = random.Random(0)
        self._scripted: list[Fault] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator["DiscordDouble"]:
        application = web.Application(client_max_size=1 << 26)
        groups = (Application(self), Channels(self), Interactions(self))
        handlers = {key: do for group in groups for key, do in group.routes().items()}
        handlers["* /{path:.*}"] = _unknown
        application.add_routes(
            [
                web.get("/gateway", self.gateway.handle),
                web.get("/attachments/{channel}/{id}/{name}", self._attachment),
                *(self._route(key, handler) for key, handler in handlers.items()),
            ]
        )
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self.gateway.drop()
            await runner.cleanup()

    @property
    def api_url(self) -> str:
        """What Route.BASE is set to."""
        return self.url + API

    async def connected(self) -> None:
        """Wait until the bot has a live session on the gateway."""
        await self.until(lambda: self.gateway.live)

    def fail(
        self,
        method: str,
        path: str,
        code: int = 0,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        times: int = 1,
        done_first: bool = False,
    ) -> Fault:
        """Answer the next such calls with an error: by its code, its status, or as a 429.

        `path` is a regular expression. With `done_first` the request takes effect all the same.
        """
        error: Exception = ApiError(code, status, None if code else f"{status}: scripted")
        if retry_after is not None:
            error = TooMany(retry_after, "shared")
        fault = Fault(method, path, error, times, done_first)
        self._scripted.append(fault)
        return fault

    # Serving

    def _route(self, route: str, handler: Handler) -> web.RouteDef:
        method, path = route.split()

        async def serve(request: web.Request) -> web.Response:
            path, now = request.path.removeprefix(API), time.monotonic()
            call = Call(request.method, path, route, request.match_info, request.query, now)
            self.requests.append(call)
            call.body, call.files = await _body_of(request)
            headers: dict[str, str] = {}
            try:
                if not path.startswith(FREE) and request.headers.get("Authorization") != (
                    f"Bot {self.token}"
                ):
                    raise ApiError(0)
                answer = self._answer(call, handler, headers)
                call.status = 204 if answer is None else 200
            except ApiError as error:
                call.status, answer = error.status, error.body
            except TooMany as error:
                call.status, call.scope, answer = 429, error.scope, error.body
                headers |= error.headers
            self.changed()
            if answer is None:
                return web.Response(status=204, headers=headers)
            # Exactly application/json: with a charset, discord.py takes the body for text.
            headers["Content-Type"] = "application/json"
            text = json.dumps(answer).encode()
            return web.Response(body=text, status=call.status, headers=headers)

        return web.route(method, API + path, serve)

    def _answer(self, call: Call, handler: Handler, headers: dict[str, str]) -> Answer:
        """Put the call through faults and limits to its handler; fills in `headers`."""
        fault = next((f for f in self._scripted if f.strikes(call)), None)
        error = fault.error if fault else self._random_error()
        call.scripted = error is not None
        if error and not (fault and fault.done_first):
            raise error
        headers |= self.limits.take(call.route, call.parameters)
        answer = handler(call)
        if error:
            raise error
        return answer

    def _random_error(self) -> Exception | None:
        if self.faults.random() >= self.fault_rate:
            return None
        if self.faults.random() < 0.5:
            return TooMany(self.faults.uniform(0.05, 0.5), "shared")
        return ApiError(0, self.faults.choice([500, 502]), "Internal Server Error")

    async def _attachment(self, request: web.Request) -> web.Response:
        channel = self.channels.get(int(request.match_info["channel"]))
        messages = channel.messages if channel else []
        files = [file for message in messages for file in message.attachments]
        for attachment in [*files, *self.uploads.values()]:
            if str(attachment.id) == request.match_info["id"]:
                return web.Response(body=attachment.data)
        raise web.HTTPNotFound


def _unknown(_: Call) -> Answer:
    raise ApiError(0, 404, "404: Not Found")


async def _body_of(request: web.Request) -> tuple[Any, list[Attachment]]:
    """The JSON of a request, and the files that came with it."""
    if not request.content_type.startswith("multipart/"):
        text = await request.text()
        return (json.loads(text) if text else None), []
    body: Any = None
    files: list[Attachment] = []
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        if part.name == "payload_json":
            body = json.loads(await part.text())
        else:
            files.append(Attachment(part.filename or "file", bytes(await part.read())))
    return body, files
