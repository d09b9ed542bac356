"""The server: Web API, Socket Mode, response URLs and files, with limits, faults and a log."""

import asyncio
import base64
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.doubles.slack.calls import Call, Handler
from tests.doubles.slack.errors import MissingScope, RateLimited, ServerError, SlackError
from tests.doubles.slack.http_mode import Fraud
from tests.doubles.slack.installations import Installation
from tests.doubles.slack.payloads import event_callback
from tests.doubles.slack.people import Person
from tests.doubles.slack.rate_limits import RateLimits
from tests.doubles.slack.scopes import scopes_for
from tests.doubles.slack.state import Channel, Payload, Workspace, new_ts
from tests.doubles.slack.texts import typed
from tests.doubles.slack.web_agents import Agents
from tests.doubles.slack.web_chat import Chat
from tests.doubles.slack.web_conversations import Conversations
from tests.doubles.slack.web_oauth import OAuth
from tests.doubles.slack.web_people import People
from tests.doubles.slack.web_streams import Streams
from tests.doubles.slack.web_views import Views
from tests.doubles.slack.world import World
from tests.waiting import HANG_SECONDS

NESTED = ("attachments", "blocks", "chunks", "loading_messages", "metadata", "prompts", "view")
"""Arguments that are JSON; in a form they are text."""


@dataclass
class Fault:
    """Answers the next `times` calls of `method` with an error; always when that is None."""

    method: str
    error: SlackError
    times: int | None
    done_first: bool
    when: Callable[[Call], bool] | None = None
    struck: int = 0

    def strikes(self, call: Call) -> bool:
        if call.method != self.method or self.struck == self.times:
            return False
        if self.when is not None and not self.when(call):
            return False
        self.struck += 1
        return True


class SlackDouble(World):
    """Slack. Its world can be built before or while it is `running()`."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = RateLimits()
        self.requests: list[Call] = []
        self.fault_rate = 0.0
        """The part of calls that is answered 429, 500 or 503."""
        self.faults = random.Random(0)
        self.fetched = 0
        """How many times a file's contents were sent."""
        self.oauth = OAuth(self)
        self.conversations = Conversations(self)
        self._scripted: list[Fault] = []
        groups = (Agents(self), Chat(self), self.conversations, self.oauth)
        more = (People(self), Streams(self), Views(self))
        self._methods: dict[str, Handler] = {}
        for group in (*groups, *more):
            self._methods |= group.methods()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["SlackDouble"]:
        application = web.Application(client_max_size=1 << 26)
        application.add_routes(
            [
                web.get("/link/", self.socket.handle),
                web.post("/response/{token}", self._respond),
                web.get("/files-pri/{id}/{name:.*}", self._file),
                web.route("*", "/api/{method}", self._serve),
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
            await self.delivery.stop()
            self.socket.drop()
            await runner.cleanup()

    @property
    def api_url(self) -> str:
        """The base_url of clients."""
        return f"{self.url}/api/"

    @property
    def bot_token(self) -> str:
        """The token of the first installation."""
        return self.installations[0].token

    @property
    def app_token(self) -> str:
        return self.app.token

    @property
    def signing_secret(self) -> str:
        return self.app.signing_secret

    def deliver_to(self, url: str) -> None:
        """Deliver by HTTP from now on, all to this URL."""
        self.http.url = url

    async def connected(self) -> None:
        """Wait until the app has a socket open, or its URL answers url_verification."""
        if not self.http.url:
            await self.until(lambda: self.socket.connections)
            return
        async with asyncio.timeout(HANG_SECONDS):
            while True:
                if await self.http.verify():
                    return
                await asyncio.sleep(0.05)

    def outside_marketplace(self) -> None:
        """Read as a commercial app may that is not in Slack's Marketplace."""
        for method in ("conversations.history", "conversations.replies"):
            self.limits.rules[method] = (1, 60.0)
        self.conversations.page = 15

    async def forge(self, fraud: Fraud, person: Person, channel: Channel, text: str) -> int:
        """Post a mention that nobody made to the app's URL; the status it is answered with."""
        workspace = person.workspace
        event = {"type": "app_mention", "user": person.id, "channel": channel.id, "ts": new_ts()}
        event |= {"text": typed(text, workspace), "team": workspace.id, "event_ts": event["ts"]}
        payload = event_callback(event, workspace, self.installed(workspace))
        return await self.http.forge(payload, fraud)

    def fail(
        self,
        method: str,
        error: str,
        *,
        times: int | None = 1,
        retry_after: int = 1,
        done_first: bool = False,
        when: Callable[[Call], bool] | None = None,
        **more: Any,
    ) -> Fault:
        """Answer the next such calls with an error: Slack's name for it, or "500" and "503".

        With `done_first` the request takes effect all the same; `more` stands in the answer. Of all
        calls only those fail that `when` is true of. "response_url" stands for its uses.
        """
        if error == "ratelimited":
            raised: SlackError = RateLimited(retry_after)
        elif error.isdecimal():
            raised = ServerError(int(error))
        else:
            raised = SlackError(error, **more)
        self._scripted.append(Fault(method, raised, times, done_first, when))
        return self._scripted[-1]

    # Serving

    async def _serve(self, request: web.Request) -> web.Response:
        call = Call(request.match_info["method"], {}, time.monotonic())
        self.requests.append(call)
        headers: dict[str, str] = {}
        try:
            call.arguments, token = await _arguments(request)
            if request.headers.get("Authorization", "").startswith("Basic"):
                encoded = request.headers["Authorization"].removeprefix("Basic ")
                id, _, secret = base64.b64decode(encoded).decode().partition(":")
                call.credentials = (id, secret)
            answer: Payload = {"ok": True} | self._answer(call, token)
            call.status = 200
            if call.installation:
                headers["X-OAuth-Scopes"] = ",".join(sorted(call.installation.scopes))
        except SlackError as error:
            call.status, call.error, answer = error.status, error.error, error.body
            headers |= error.headers
        self.changed()
        return web.json_response(answer, status=call.status, headers=headers)

    def _answer(self, call: Call, token: str) -> Payload:
        """Put the call through faults, its token and limits to its handler."""
        fault = next((f for f in self._scripted if f.strikes(call)), None)
        error = fault.error if fault else self._random_error()
        call.scripted = error is not None
        if error and not (fault and fault.done_first):
            raise error
        if call.method not in self._methods:
            raise SlackError("unknown_method", req_method=call.method)
        self._authorize(call, token)
        workspace = call.installation.home.id if call.installation else ""
        scope = (
            (workspace, call.get("channel")) if call.method == "chat.postMessage" else (workspace,)
        )
        self.limits.take(call.method, *scope)
        answer = self._methods[call.method](call)
        if error:
            raise error
        return answer

    def _authorize(self, call: Call, token: str) -> None:
        if call.method == "oauth.v2.access":
            return
        if not token:
            raise SlackError("not_authed")
        if call.method == "apps.connections.open":
            if token != self.app.token:
                known = token in [i.token for i in self.installations]
                raise SlackError("not_allowed_token_type" if known else "invalid_auth")
            return
        call.installation = self._installation(token)
        channel = None
        if call.get("channel") and call.method.startswith("conversations."):
            channel = call.channel()
        needed = scopes_for(call.method, channel)
        granted = call.installation.scopes
        if needed and not granted & set(needed):
            raise MissingScope(needed[0], granted)

    def _installation(self, token: str) -> Installation:
        for installation in self.installations:
            if installation.token == token:
                if installation.error:
                    raise SlackError(installation.error)
                return installation
        raise SlackError("not_allowed_token_type" if token == self.app.token else "invalid_auth")

    def _random_error(self) -> SlackError | None:
        if self.faults.random() >= self.fault_rate:
            return None
        if self.faults.random() < 0.5:
            return RateLimited(1)
        return ServerError(self.faults.choice([500, 503]))

    async def _respond(self, request: web.Request) -> web.Response:
        interaction = self.interactions.get(request.match_info["token"])
        if interaction is None:
            raise web.HTTPNotFound
        call = Call("response_url", await request.json(), time.monotonic())
        self.requests.append(call)
        try:
            for fault in self._scripted:
                if fault.strikes(call):
                    raise fault.error
            interaction.respond(call.arguments)
        except SlackError as error:
            return web.json_response(error.body, status=max(error.status, 404))
        return web.Response(text="ok")

    async def _file(self, request: web.Request) -> web.Response:
        """A file; whoever may not have it gets the page for signing in, and 200."""
        file = self.files.get(request.match_info["id"].partition("-")[2])
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        for installation in self.installations:
            if file and installation.token == token and not installation.error:
                readable = "files:read" in installation.scopes
                if readable and file.workspace in installation.workspaces:
                    if file.redirect:
                        raise web.HTTPFound(file.redirect)
                    self.fetched += 1
                    return web.Response(body=file.data)
        return web.Response(text="<!DOCTYPE html><html>Sign in</html>", content_type="text/html")

    # Installations

    def revoke(self, workspace: Workspace, error: str = "token_revoked") -> None:
        """From now on the workspace's token is good no longer."""
        self.installed(workspace).error = error


async def _arguments(request: web.Request) -> tuple[dict[str, Any], str]:
    """What a call is made with, from its query and its JSON or form; and the token."""
    arguments: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        try:
            arguments |= await request.json()
        except json.JSONDecodeError:
            raise SlackError("invalid_json") from None
    else:
        arguments |= dict(await request.post())
    for name in NESTED:
        if isinstance(arguments.get(name), str):
            try:
                arguments[name] = json.loads(arguments[name])
            except json.JSONDecodeError:
                kind = f"invalid_{name}_format" if name == "blocks" else "invalid_arguments"
                raise SlackError(kind) from None
    token = str(arguments.pop("token", ""))
    bearer = request.headers.get("Authorization", "")
    return arguments, bearer.removeprefix("Bearer ") if bearer.startswith("Bearer") else token
