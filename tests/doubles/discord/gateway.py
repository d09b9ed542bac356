"""The gateway: sessions over WebSockets, events numbered, kept and replayed.

https://docs.discord.com/developers/events/gateway
"""

import asyncio
import json
import secrets
import zlib
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from tests.doubles.discord.payloads import (
    Payload,
    application_payload,
    guild_payload,
    user_payload,
    without_content,
)
from tests.doubles.discord.state import Guild

if TYPE_CHECKING:
    from tests.doubles.discord.world import World

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, INVALID, HELLO, ACK = 0, 1, 2, 6, 7, 9, 10, 11
AUTHENTICATION_FAILED, INVALID_SHARD, DISALLOWED_INTENTS = 4004, 4010, 4014
MESSAGE_CONTENT = 1 << 15
PRIVILEGED = 1 << 1 | 1 << 8 | MESSAGE_CONTENT
INTENTS = {
    "MESSAGE_REACTION": (1 << 10, 1 << 13),
    "MESSAGE": (1 << 9, 1 << 12),
    "TYPING": (1 << 11, 1 << 14),
    "GUILD_MEMBER": (1 << 1, 0),
    "GUILD": (1 << 0, 0),
    "CHANNEL": (1 << 0, 0),
    "THREAD": (1 << 0, 0),
}
"""By the beginning of an event's name: the intent in guilds, and in direct messages."""


class Connection:
    """One WebSocket, with one zlib context for its life. What is sent goes out in order."""

    def __init__(self, request: web.Request) -> None:
        self.socket = web.WebSocketResponse()
        self._request = request
        compress = request.query.get("compress") == "zlib-stream"
        self._compressor = zlib.compressobj() if compress else None
        self._outbox: asyncio.Queue[Payload] = asyncio.Queue()

    def send(self, op: int, data: Any = None, seq: int | None = None, event: str = "") -> None:
        self._outbox.put_nowait({"op": op, "d": data, "s": seq, "t": event or None})

    def abort(self) -> None:
        """Break off without a word."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def write(self) -> None:
        """Send what is in the outbox, for ever."""
        while True:
            text = json.dumps(await self._outbox.get())
            try:
                if self._compressor is None:
                    await self.socket.send_str(text)
                else:
                    data = self._compressor.compress(text.encode())
                    await self.socket.send_bytes(data + self._compressor.flush(zlib.Z_SYNC_FLUSH))
            except (ConnectionError, RuntimeError):
                return  # closed: the session keeps the events


class Session:
    """What a client identified for. It outlives its connections: `events` are replayed."""

    def __init__(self, intents: int, shard: tuple[int, int]) -> None:
        self.id = secrets.token_hex(16)
        self.intents = intents
        self.shard = shard
        self.events: list[tuple[str, Payload]] = []
        self.connection: Connection | None = None

    def wants(self, event: str, guild: Guild | None) -> bool:
        shard, count = self.shard
        if (guild.id >> 22) % count != shard if guild else shard != 0:
            return False
        for prefix, (in_guild, direct) in INTENTS.items():
            if event.startswith(prefix):
                return bool(self.intents & (in_guild if guild else direct))
        return True

    def dispatch(self, event: str, payload: Payload) -> None:
        self.events.append((event, payload))
        if self.connection:
            self.connection.send(DISPATCH, payload, len(self.events), event)

    def replay(self, seq: int) -> None:
        assert self.connection is not None
        for number, (event, payload) in enumerate(self.events[seq:], seq + 1):
            self.connection.send(DISPATCH, payload, number, event)


class Gateway:
    """Accepts connections and hands out events."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.sessions: dict[str, Session] = {}
        self.heartbeat_interval = 41.25
        """Seconds between the heartbeats asked of clients."""
        self.heartbeats = 0
        self.identified = 0
        """How often a client began a new session."""
        self.resumed = 0
        """How often a client took a session up again."""
        self._connections: set[Connection] = set()

    @property
    def live(self) -> list[Session]:
        return [session for session in self.sessions.values() if session.connection]

    def dispatch(self, event: str, payload: Payload, guild: Guild | None) -> None:
        """Tell every session that may know and wants to."""
        for session in self.sessions.values():
            if session.wants(event, guild):
                hide = event in ("MESSAGE_CREATE", "MESSAGE_UPDATE")
                hide = hide and not session.intents & MESSAGE_CONTENT
                shown = without_content(payload, self._world.bot) if hide else payload
                session.dispatch(event, shown)
        self._world.changed()

    # What a test does to connections

    def drop(self) -> None:
        """Break every connection off without a word."""
        for connection in list(self._connections):
            self._detach(connection)
            connection.abort()

    def ask_to_reconnect(self) -> None:
        for connection in self._connections:
            connection.send(RECONNECT)

    def invalidate(self, *, resumable: bool = False) -> None:
        """Tell clients that their session ended, or that it may be resumed."""
        for connection in list(self._connections):
            connection.send(INVALID, resumable)
        if not resumable:
            self.sessions.clear()

    async def close(self, code: int) -> None:
        for connection in list(self._connections):
            await connection.socket.close(code=code)

    # What clients do

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        connection = Connection(request)
        socket = connection.socket
        await socket.prepare(request)
        self._connections.add(connection)
        writer = asyncio.create_task(connection.write())
        connection.send(HELLO, {"heartbeat_interval": int(self.heartbeat_interval * 1000)})
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    packet = json.loads(message.data)
                    if code := self._receive(connection, packet["op"], packet["d"]):
                        await socket.close(code=code)
        finally:
            writer.cancel()
            self._detach(connection)
        return socket

    def _detach(self, connection: Connection) -> None:
        self._connections.discard(connection)
        for session in self.sessions.values():
            if session.connection is connection:
                session.connection = None
        self._world.changed()

    def _receive(self, connection: Connection, op: int, data: Any) -> int | None:
        """Handle a client's packet. The code to close the connection with, if so."""
        if op == HEARTBEAT:
            self.heartbeats += 1
            connection.send(ACK)
            self._world.changed()
        elif op in (IDENTIFY, RESUME):
            if data["token"].removeprefix("Bot ") != self._world.token:
                return AUTHENTICATION_FAILED
            return (self._identify if op == IDENTIFY else self._resume)(connection, data)
        return None

    def _identify(self, connection: Connection, data: Payload) -> int | None:
        granted = MESSAGE_CONTENT if self._world.message_content else 0
        if data["intents"] & PRIVILEGED & ~granted:
            return DISALLOWED_INTENTS
        shard, count = data.get("shard", (0, 1))
        if not 0 <= shard < count:
            return INVALID_SHARD
        session = Session(data["intents"], (shard, count))
        session.connection = connection
        self.sessions[session.id] = session
        self.identified += 1
        guilds = [
            guild
            for guild in self._world.guilds.values()
            if guild.has_bot and session.wants("GUILD_CREATE", guild)
        ]
        ready = {
            "v": 10,
            "user": user_payload(self._world.bot),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "shard": [shard, count],
            "application": {
                "id": str(self._world.application_id),
                "flags": application_payload(self._world)["flags"],
            },
        }
        session.dispatch("READY", ready)
        for guild in guilds:
            session.dispatch("GUILD_CREATE", guild_payload(guild) | {"unavailable": False})
        self._world.changed()
        return None

    def _resume(self, connection: Connection, data: Payload) -> None:
        session = self.sessions.get(data["session_id"])
        if session is None:
            connection.send(INVALID, False)
            return
        session.connection = connection
        session.replay(data["seq"])
        session.dispatch("RESUMED", {})
        self.resumed += 1
        self._world.changed()

    @property
    def url(self) -> str:
        return self._world.url.replace("http", "ws", 1) + "/gateway"
