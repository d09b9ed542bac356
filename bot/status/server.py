"""The status page while the bot runs: its socket, what it counts, its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from bot.config import STATUS_KEYS
from bot.conversation.core import Core
from bot.listener import address_of, bind
from bot.serving import serving
from bot.status.application import application
from bot.status.live import Live

log = structlog.get_logger()


@asynccontextmanager
async def status_page(core: Core) -> AsyncIterator[tuple[str, Live]]:
    """Serve the page at `status.listen`, at the address that this gives.

    Raises ListenError.
    """
    status = core.config().status
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(
            bind(status.listen, status.token.get_secret_value(), STATUS_KEYS)
        )
        port = listener.getsockname()[1]
        live = Live(core)
        stack.enter_context(live.problems.listening())
        await stack.enter_async_context(serving(application(core, live, port), listener))
        looking = asyncio.create_task(live.run())
        stack.push_async_callback(_ended, live, looking)
        url = f"http://{address_of(listener)}"
        log.info("the status page is up", url=url)
        yield url, live


async def _ended(live: Live, looking: asyncio.Task[None]) -> None:
    """Let those who watch go, and keep what was counted."""
    looking.cancel()
    await asyncio.wait([looking])
    await live.close()
