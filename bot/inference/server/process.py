"""`bot serve` as a process: its socket, its signals, its start and its end."""

import asyncio
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
from bot.inference.server.connection import ApiConnection
from bot.inference.server.endpoints import create_app
from bot.inference.server.model import load_model
from bot.inference.server.service import Service
from bot.listener import ListenError, address_of, bind, handed_down

log = structlog.get_logger()

DRAIN_SECONDS = 20.0
"""How long running answers may go on after SIGTERM; container engines kill after 30 s or so."""
FLUSH_SECONDS = 3
"""How long a slow client may then take to read what it was sent."""


def run_server(config: Config, listen: str | None = None) -> int:
    """Serve until SIGTERM, SIGINT or a failure; returns the exit code.

    `listen` (HOST:PORT) takes the place of `inference.listen`. With BOT_SUPERVISED=1 in the
    environment, the end of stdin stops the service too; BOT_LISTENER is the descriptor of a socket
    that listens at `listen` already.
    """
    inference = config.inference
    api_key = inference.api_key.get_secret_value()
    try:
        listener = handed_down() or bind(listen or inference.listen, api_key)
    except ListenError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    with listener:
        return asyncio.run(_serve(config, listener, api_key))


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
            create_app(service, api_key, inference.cors),
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            http=ApiConnection,
            timeout_graceful_shutdown=2 * FLUSH_SECONDS,
        )
    )
    if os.environ.get("BOT_SUPERVISED") == "1":
        threading.Thread(target=_watch_stdin, args=[server.stop], daemon=True).start()
    log.info("listening", url=f"http://{address_of(listener)}/v1")
    service.start()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await _first(server.stopping.wait(), service.failed.wait())
    await _first(service.drain(DRAIN_SECONDS), server.hurry.wait())
    await service.drain(0)
    server.should_exit = True
    await asyncio.wait({serving}, timeout=FLUSH_SECONDS)
    server.hang_up()
    await serving
    return service.exit_code


async def _first(*awaitables: Coroutine[Any, Any, object]) -> None:
    """Wait until one of them is done; the others are cancelled."""
    tasks = [asyncio.create_task(awaitable) for awaitable in awaitables]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


class _Server(uvicorn.Server):
    """Sets an event for each signal: the first asks to drain, the second to end at once."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()
        self.hurry = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.stop()

    def hang_up(self) -> None:
        """Close what is still open; cancelling its requests, as uvicorn does, logs errors."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def stop(self) -> None:
        """Callable from any thread and from a signal handler."""
        event = self.hurry if self.stopping.is_set() else self.stopping
        self._loop.call_soon_threadsafe(event.set)


def _watch_stdin(stop: Callable[[], None]) -> None:
    """Stop when stdin ends: the process that started us is gone, however it ended."""
    while os.read(0, 4096):  # not sys.stdin, whose lock a daemon thread would hold at exit
        pass
    stop()
