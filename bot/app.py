"""The composition root of `bot run`: builds the parts, starts them and ends them in order."""

import asyncio
import gc
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog
from prometheus_client import start_http_server
from pydantic import SecretStr

from bot import GC_THRESHOLDS
from bot.client import InferenceClient, ServiceUnusable
from bot.config import Config, ConfigChange, ConfigError, watch
from bot.conversation.core import Core
from bot.conversation.responder import Responder
from bot.exit_code import ExitCode
from bot.listener import ListenError, address_of
from bot.platforms.base import Platform, PlatformUnusable
from bot.storage import StorageError, Store
from bot.tools import Toolbox

if TYPE_CHECKING:
    from bot.client.supervisor import Supervisor
    from bot.platforms.console import ConsolePlatform

log = structlog.get_logger()

GRACE_SECONDS = 20.0
"""How long running answers may go on after SIGTERM; container engines kill after 30 s or so."""
CLOSING_SECONDS = 4.0
"""How long platforms may take after that to show the ends of answers and to take their leave."""
CANCEL_SECONDS = 1.0


class App:
    """The running bot. `config` is the one in effect, replaced when its file changes."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._stop = asyncio.Event()
        self._terminal: ConsolePlatform | None = None

    def stop(self) -> None:
        """Take no more messages, let running answers finish and return from `run`."""
        self._stop.set()

    def interrupt(self) -> None:
        """Do what Ctrl-C asks for: stop the answer at the console, else the bot."""
        if self._terminal:
            self._terminal.interrupt()
        else:
            self.stop()

    async def run(self, *, console: bool) -> ExitCode:
        """Run until `stop` is called or the console ends."""
        async with AsyncExitStack() as stack:
            try:
                stack.callback(_serve_metrics(self.config.metrics.listen))
            except OSError as error:
                address, reason = self.config.metrics.listen, error.strerror or str(error)
                log.error("metrics.listen can't be used", address=address, reason=reason)
                return ExitCode.FAILURE
            store = await stack.enter_async_context(Store.open(self.config.storage.url))
            inference = self.config.inference
            supervisor = None if inference.url else _supervisor(self.config)
            client = InferenceClient(
                supervisor.url if supervisor else inference.url,
                inference.api_key.get_secret_value(),
                inference.model,
            )
            stack.push_async_callback(client.close)
            toolbox = Toolbox(self.config, store)
            await stack.enter_async_context(toolbox.running())
            responder = Responder(client, toolbox)
            core = Core(lambda: self.config, store, client, responder)
            if not console and self.config.status.listen:
                from bot.status import status_page  # only where there is one

                try:
                    await stack.enter_async_context(status_page(core))
                except ListenError as error:
                    log.error(str(error))
                    return error.exit_code
            self._terminal = terminal = _terminal(core) if console else None
            platforms: list[Platform] = [terminal] if terminal else self._platforms(core)
            gc.freeze()  # imports stay for ever: collections need only look at what comes after
            gc.collect()
            gc.set_threshold(*GC_THRESHOLDS)

            # Another server is not ours to watch.
            service = asyncio.create_task(
                supervisor.run() if supervisor else asyncio.Event().wait()
            )
            reloading = asyncio.create_task(self._reload(store))
            talking = [asyncio.create_task(platform.run()) for platform in platforms]
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait([service, stopping, *talking], return_when=asyncio.FIRST_COMPLETED)

            for platform in platforms:
                platform.stop()
            grace_seconds = 0 if service.done() else GRACE_SECONDS
            log.info("stopping", grace_seconds=grace_seconds)
            await responder.drain(grace_seconds)
            for task in (stopping, reloading, service):
                task.cancel()  # beside what the platforms have still to show
            outcomes = await _ended(talking)
            ends = await asyncio.gather(stopping, reloading, service, return_exceptions=True)
        failed = terminal is not None and terminal.failed
        return _exit_code([*outcomes, *ends], failed)

    def _platforms(self, core: Core) -> list[Platform]:
        """Those that the configuration has tokens for."""
        platforms: list[Platform] = []  # each is loaded only where it is used
        if self.config.discord.token.get_secret_value():
            from bot.platforms.discord import DiscordPlatform

            platforms.append(DiscordPlatform(core))
        if self.config.slack.is_set:
            from bot.platforms.slack import SlackPlatform

            platforms.append(SlackPlatform(core))
        return platforms

    async def _reload(self, store: Store) -> None:
        """Take over the configuration file's changes, and note them."""
        try:
            async for change in watch(lambda: self.config):
                self._take_over(change)
                if isinstance(change, ConfigChange):
                    await _note(change, store)
        except Exception:
            log.exception("the configuration file is no longer watched for changes")

    def _take_over(self, change: ConfigChange | ConfigError) -> None:
        if isinstance(change, ConfigError):
            for problem in change.problems:
                log.error("configuration not taken over", problem=problem)
            return
        self.config = change.config
        log.info("configuration taken over")
        if change.needs_restart:
            log.warning("changes wait for a restart", keys=change.needs_restart)


async def _note(change: ConfigChange, store: Store) -> None:
    try:
        await store.changes.note_file(change.changed)
    except StorageError as error:
        log.error("the configuration's change could not be noted", error=str(error))


def _supervisor(config: Config) -> "Supervisor":
    from bot.client.supervisor import Supervisor  # only for a service of the bot's own

    return Supervisor(config.path, _platform_secrets(config))


def _terminal(core: Core) -> "ConsolePlatform":
    from bot.platforms.console import ConsolePlatform  # only for `bot chat`

    return ConsolePlatform(core)


def _platform_secrets(config: Config) -> list[str]:
    """What the service doesn't need: tokens of platforms and tools, the database's URL."""
    values = [value for section in (config.discord, config.slack) for _, value in section]
    secrets = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    secrets.append(config.web.api_key.get_secret_value())
    for server in config.mcp.values():
        secrets += [value.get_secret_value() for value in server.headers.values()]
    with_password = [config.storage.url] if "@" in config.storage.url else []
    return [secret for secret in (*secrets, *with_password) if secret]


async def _ended(platforms: Collection[asyncio.Task[None]]) -> list[BaseException | None]:
    """What each platform raised; one that does not end is cancelled, whatever it waits for."""
    _, late = await asyncio.wait(platforms, timeout=CLOSING_SECONDS)
    for task in late:
        task.cancel()
    if late:
        log.warning("a platform is out of reach: what was still to be shown there is lost")
        await asyncio.wait(late, timeout=CANCEL_SECONDS)
    done = [task for task in platforms if task.done() and not task.cancelled()]
    return [task.exception() for task in done]


def _serve_metrics(listen: str) -> Callable[[], None]:
    """Let Prometheus read at `listen`, if that is set; what ends it. Raises OSError."""
    if not listen:
        return lambda: None
    host, _, port = listen.rpartition(":")
    server, _ = start_http_server(int(port), host.strip("[]"))
    log.info("metrics can be read", address=address_of(server.socket))
    return server.shutdown


def _exit_code(outcomes: Sequence[object], failed: bool) -> ExitCode:
    for outcome in outcomes:
        if isinstance(outcome, PlatformUnusable):
            log.error(str(outcome))
            return outcome.exit_code
        if isinstance(outcome, ServiceUnusable):
            return ExitCode.UNUSABLE
        if isinstance(outcome, Exception):
            raise outcome
    return ExitCode.FAILURE if failed else ExitCode.OK
