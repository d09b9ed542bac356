"""The composition root of `bot run`: builds the parts, starts them and ends them in order."""

import asyncio
import signal
from contextlib import AsyncExitStack

import structlog

from bot.config import Config, ConfigError, watch
from bot.conversation.core import Core
from bot.conversation.responder import Responder
from bot.exit_code import ExitCode
from bot.inference.client import InferenceClient
from bot.inference.supervisor import ServiceUnusable, Supervisor
from bot.platforms.base import Platform
from bot.platforms.console import ConsolePlatform
from bot.storage import Store

log = structlog.get_logger()

GRACE_SECONDS = 20.0
"""How long running answers may go on after SIGTERM; container engines kill after 30 s or so."""


class App:
    """The running bot. `config` is the one in force, replaced when its file changes."""

    def __init__(self, config: Config) -> None:
        self.config = config

    async def run(self, *, console: bool) -> ExitCode:
        """Run until SIGTERM or the console's end."""
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(Store.open(self.config.storage.url))
            inference = self.config.inference
            supervisor = None if inference.url else Supervisor(self.config.path)
            client = InferenceClient(
                supervisor.url if supervisor else inference.url,
                inference.api_key.get_secret_value(),
                inference.model,
            )
            stack.push_async_callback(client.close)
            responder = Responder(lambda: self.config, store, client)
            core = Core(lambda: self.config, store, client, responder)
            platforms: list[Platform] = [ConsolePlatform(core)] if console else []

            service = asyncio.create_task(supervisor.run() if supervisor else stop.wait())
            reloading = asyncio.create_task(self._reload())
            talking = [asyncio.create_task(platform.run()) for platform in platforms]
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait([service, stopping, *talking], return_when=asyncio.FIRST_COMPLETED)

            for platform in platforms:
                platform.stop()
            await responder.drain(0 if service.done() else GRACE_SECONDS)
            outcomes = await asyncio.gather(*talking, return_exceptions=True)
            for task in (stopping, reloading, service):
                task.cancel()
            ends = await asyncio.gather(stopping, reloading, service, return_exceptions=True)
        return _exit_code([*outcomes, *ends])

    async def _reload(self) -> None:
        """Take over the configuration file's changes."""
        async for change in watch(lambda: self.config):
            if isinstance(change, ConfigError):
                log.error("configuration not taken over", problems=change.problems)
                continue
            self.config = change.config
            log.info("configuration reloaded", needs_restart=change.needs_restart)


def _exit_code(outcomes: list[object]) -> ExitCode:
    for outcome in outcomes:
        if isinstance(outcome, ServiceUnusable):
            return ExitCode.UNUSABLE
        if isinstance(outcome, Exception):
            raise outcome
    return ExitCode.FAILURE if ExitCode.FAILURE in outcomes else ExitCode.OK
