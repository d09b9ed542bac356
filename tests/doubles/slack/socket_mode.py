"""Socket Mode: WebSockets over which the app gets envelopes and acknowledges them.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import json
import secrets
import uuid
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from tests.doubles.slack.limits import CONNECTIONS
from tests.doubles.slack.state import Payload
from tests.doubles.slack.ways import NotTaken, Retry

if TYPE_CHECKING:
    from tests.doubles.slack.world import World


class Connection:
    """One WebSocket. What is sent goes out in order."""

    def __init__(self, request: web.Request) -> None:
        self.socket = web.WebSocketResponse()
        self.leaving = False
        """Asked to reconnect: gets nothing more while there is another."""
        self.pending: dict[str, asyncio.Future[Payload]] = {}
        """Envelopes that are not acknowledged yet, by their id."""
        self._request = request
        self._outbox: asyncio.Queue[Payload] = asyncio.Queue()

    def send(self, message: Payload) -> None:
        self._outbox.put_nowait(message)

    def abort(self) -> None:
        """Break off without a word."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def write(self) -> None:
        """Send what is in the outbox, for ever."""
        while True:
            try:
                await self.socket.send_json(await self._outbox.get())
            except (ConnectionError, RuntimeError):
                return


class SocketMode:
    """Accepts connections and hands out envelopes, each to one of them."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.connections: list[Connection] = []
        self.only: Connection | None = None
        """Gets all envelopes, where a test sets it; otherwise all connections do in turn."""
        self.opened = 0
        """How often the app connected."""
        self.acknowledged = 0
        """How many envelopes the app acknowledged."""
        self._tickets: set[str] = set()
        self._turn = 0

    def ticket(self) -> str:
        """A URL for one connection, as apps.connections.open gives it."""
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        url = self._world.url.replace("http", "ws", 1)
        return f"{url}/link/?ticket={ticket}&app_id={self._world.app.id}"

    # What a test does to connections

    def drop(self) -> None:
        """Break every connection off without a word."""
        for connection in list(self.connections):
            self._detach(connection)
            connection.abort()

    def ask_to_reconnect(self, reason: str = "refresh_requested") -> None:
        """Ask every connection to go; `reason` is refresh_requested, warning or link_disabled."""
        for connection in self.connections:
            connection.leaving = True
            connection.send(self._goodbye(reason))

    # Sending

    async def send(self, kind: str, payload: Payload, retry: Retry | None) -> Payload:
        """Send an envelope over one connection; what came with the acknowledgement."""
        envelope: Payload = {
            "envelope_id": str(uuid.uuid4()),
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }
        if kind == "events_api":
            number, reason = retry or Retry(0, "")
            envelope |= {"retry_attempt": number, "retry_reason": reason}
        answered: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._world.acknowledge_within):
                while not (connection := self._next()):
                    await self._world.change()
                connection.pending[envelope["envelope_id"]] = answered
                connection.send(envelope)
                return await answered
        except TimeoutError:
            raise NotTaken("timeout") from None

    def _next(self) -> Connection | None:
        if self.only:
            return self.only
        ready = [c for c in self.connections if not c.leaving] or self.connections
        self._turn += 1
        return ready[self._turn % len(ready)] if ready else None

    # What the app does

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            raise web.HTTPForbidden
        self._tickets.remove(ticket)
        connection = Connection(request)
        await connection.socket.prepare(request)
        if len(self.connections) >= CONNECTIONS:
            await connection.socket.send_json(self._goodbye("too_many_websockets"))
            await connection.socket.close()
            return connection.socket
        writer = asyncio.create_task(connection.write())
        self.connections.append(connection)
        self.opened += 1
        connection.send(self._hello())
        self._world.changed()
        try:
            async for message in connection.socket:
                if message.type is WSMsgType.TEXT:
                    self._acknowledge(connection, json.loads(message.data))
        finally:
            writer.cancel()
            self._detach(connection)
        return connection.socket

    def _acknowledge(self, connection: Connection, message: Payload) -> None:
        answered = connection.pending.pop(message.get("envelope_id", ""), None)
        if answered and not answered.done():
            self.acknowledged += 1
            answered.set_result(message.get("payload") or {})
            self._world.changed()

    def _detach(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.remove(connection)
        for answered in connection.pending.values():
            if not answered.done():
                answered.set_exception(NotTaken("connection_failed"))
        connection.pending.clear()
        self._world.changed()

    def _hello(self) -> Payload:
        return {
            "type": "hello",
            "num_connections": len(self.connections),
            "connection_info": {"app_id": self._world.app.id},
            "debug_info": {"host": "applink-double", "approximate_connection_time": 18060},
        }

    def _goodbye(self, reason: str) -> Payload:
        return {
            "type": "disconnect",
            "reason": reason,
            "debug_info": {"host": "applink-double"},
        }
