"""The real HTTP service on a loopback port, around an engine that a test scripts."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import uvicorn

from bot.inference.engines.base import Engine, Sampling
from bot.inference.models.sources import Progress
from bot.inference.server.connection import ApiConnection
from bot.inference.server.endpoints import create_app
from bot.inference.server.model import Model
from bot.inference.server.service import Service
from bot.inference.text.prompt import ChatFormat
from tests.waiting import HANG_SECONDS

NAME = "tiny"


def loaded(
    chat_format: ChatFormat, engine: Engine, sampling: Sampling | None = None
) -> Callable[[Progress], Model]:
    """A `load` for Service whose model is there already."""
    return lambda progress: Model(chat_format, engine, sampling or Sampling())


@asynccontextmanager
async def serving(
    load: Callable[[Progress], Model],
    *,
    api_key: str = "",
    origins: Collection[str] = (),
    queue_limit: int = 100,
    deadline_seconds: float = 60.0,
    wait_until_ready: bool = True,
) -> AsyncIterator[tuple[Service, str]]:
    """The service and the address it listens on; afterwards nothing of it may be left."""
    service = Service(NAME, load, queue_limit=queue_limit, deadline_seconds=deadline_seconds)
    config = uvicorn.Config(
        create_app(service, api_key, origins),
        log_config=None,
        lifespan="off",
        http=ApiConnection,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = asyncio.create_task(server._serve([listener]))
        service.start()
        try:
            if wait_until_ready:
                await until(lambda: service.stage.status == "ready")
            yield service, f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await service.drain(0)
            server.should_exit = True
            await running
    assert (service.running, service.waiting) == (0, 0)


async def until(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds."""
    async with asyncio.timeout(HANG_SECONDS):
        while not condition():  # noqa: ASYNC110 (what is awaited here has no event)
            await asyncio.sleep(0.001)
