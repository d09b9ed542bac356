"""`bot serve` as a process: its socket, its signals, its start and its end."""

import asyncio
import ipaddress
import os
import socket
import sys
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from types import FrameType
from typing import Any

import structlog
import uvicorn

from bot.config import Config
from bot.exit_code import ExitCode
from bot.inference.server.connection import Connection
from bot.inference.server.endpoints import create_app
from bot.inference.server.loading import load_model
from bot.inference.server.service import Service

log = structlog.get_logger()

LAST_PORT = 65535
DRAIN_SECONDS = 20.0
"""How long running answers may go on after SIGTERM; container engines kill after 30 s or so."""
FLUSH_SECONDS = 3
"""How long a slow client may then take to read what it was sent."""


class ListenError(Exception):
    """The address can't be listened on; one line saying why. `exit_code` is the process's."""

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run_server(config: Config, listen: str | None = None) -> int:
    """Serve until SIGTERM, SIGINT or a failure; returns the exit code.

    `listen` (HOST:PORT) takes the place of `inference.listen`. With BOT_SUPERVISED=1 in the
    environment, the end of stdin stops the service too.
    """
    inference = config.inference
    api_key = inference.api_key.get_secret_value()
    try:
        listener = bind(listen or inference.listen, api_key)
    except ListenError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    with listener:
        return asyncio.run(_serve(config, listener, api_key))


def bind(listen: str, api_key: str) -> socket.socket:
    """A listening socket at `listen`, which is HOST:PORT. Raises ListenError."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > LAST_PORT:
        raise ListenError(f"{listen!r} is no HOST:PORT to listen on.", ExitCode.UNUSABLE)
    try:
        infos = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
        family, _, _, _, address = infos[0]
        if not api_key and not ipaddress.ip_address(address[0]).is_loopback:
            raise ListenError(
                f"inference.listen is {listen}, which others can reach: set inference.api_key"
                " too, or listen on 127.0.0.1.",
                ExitCode.UNUSABLE,
            )
        listener = socket.create_server(address[:2], family=family, backlog=2048)
        # For its connections: asyncio would do so only if the listener named its protocol. Without
        # it the second of two small writes waits for a delayed ACK, some 40 ms (RFC 9293, 3.7.4).
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except UnicodeError as error:  # of a host name's label that is empty or too long
        raise ListenError(f"{host!r} is no host to listen on.", ExitCode.UNUSABLE) from error
    except OSError as error:
        # The error's own text goes on after the reason, except for names that are not found.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror
        raise ListenError(
            f"inference.listen is {listen}, but listening there failed: {reason}.",
            ExitCode.FAILURE,
        ) from error


async def _serve(config: Config, listener: socket.socket, api_key: str) -> int:
    inference = config.inference
    service = Service(
        inference.model,
        partial(load_model, inference),
        queue_limit=inference.queue_limit,
        deadline_seconds=inference.request_timeout_seconds,
    )
    server = _Server(
        uvicorn.Config(
            create_app(service, api_key),
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            http=Connection,
            timeout_graceful_shutdown=FLUSH_SECONDS,
        )
    )
    if os.environ.get("BOT_SUPERVISED") == "1":
        threading.Thread(target=_watch_stdin, args=[server.stop], daemon=True).start()
    host, port = listener.getsockname()[:2]
    log.info("listening", url=f"http://{f'[{host}]' if ':' in host else host}:{port}/v1")
    service.start()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await _first(server.stopping.wait(), service.failed.wait())
    await _first(service.drain(DRAIN_SECONDS), server.hurry.wait())
    await service.drain(0)
    server.should_exit = True
    await serving
    return service.exit_code


async def _first(*awaitables: Coroutine[Any, Any, object]) -> None:
    """Wait until one of them is done; the others are cancelled."""
    tasks = [asyncio.create_task(awaitable) for awaitable in awaitables]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


class _Server(uvicorn.Server):
    """Leaves it to us what a signal does: the first asks to drain, the second not to wait."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()
        self.hurry = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Callable from any thread and from a signal handler."""
        event = self.hurry if self.stopping.is_set() else self.stopping
        self._loop.call_soon_threadsafe(event.set)


def _watch_stdin(stop: Callable[[], None]) -> None:
    """Stop when stdin ends: the process that started us is gone, however it ended."""
    while os.read(0, 4096):  # not sys.stdin, whose lock a daemon thread would hold at exit
        pass
    stop()
