"""What the page shows of this moment: polls the service and notifies those who watch."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import structlog

from bot.client import Health, InferenceError, ModelInfo, ServiceMetrics
from bot.conversation.core import Core
from bot.status.problems import ProblemLog
from bot.status.recorder import EVERY_SECONDS, Recorder
from bot.storage import StorageError

log = structlog.get_logger()

WATCHED_SECONDS = 2.0
"""How often the service is asked while somebody watches."""
STORED_SECONDS = 60.0
"""How often what was counted is stored: what a killed process loses."""
MOST_WATCHERS = 64
NOTHING = ServiceMetrics()


@dataclass(frozen=True)
class ServiceSnapshot:
    """The service at one moment. `model` and `version` are None where it doesn't tell."""

    health: Health
    model: ModelInfo | None = None
    version: str | None = None
    metrics: ServiceMetrics = NOTHING


class Live:
    """The newest `snapshot` of the service, a `recorder` of all, and the `problems` logged."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.snapshot = ServiceSnapshot(Health("connecting"))
        self.recorder = Recorder()
        self.problems = ProblemLog()
        self.closed = False
        self._watchers = 0
        self._woken = asyncio.Event()
        self._taken = asyncio.Event()
        core.responder.on_end.append(self.recorder.answer_ended)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        stored = time.monotonic()
        while True:
            self._woken.clear()
            try:
                self.snapshot = await self._take_snapshot()
                self.recorder.record(self.snapshot.metrics, self.core.responder.answers)
            except Exception:  # the page must not end the bot
                log.exception("the status page could not look at the service")
            self._tell()
            if time.monotonic() - stored >= STORED_SECONDS:
                stored = time.monotonic()
                await self._store()
            seconds = WATCHED_SECONDS if self._watchers else EVERY_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()

    async def close(self) -> None:
        """Let those who watch go, and store what was counted."""
        self.closed = True
        self._tell()
        await self._store()

    @property
    def is_full(self) -> bool:
        """Whether nobody more can watch."""
        return self._watchers >= MOST_WATCHERS

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Inside, somebody watches: the service is asked more often, and at once."""
        self._watchers += 1
        self._woken.set()
        try:
            yield
        finally:
            self._watchers -= 1

    async def next_snapshot(self) -> None:
        """Return when the next snapshot is taken, or at the end."""
        if not self.closed:
            await self._taken.wait()

    async def _store(self) -> None:
        try:
            await self.recorder.store(self.core.store.hours)
        except StorageError as error:
            log.error("what the status page counts could not be stored", error=str(error))

    def _tell(self) -> None:
        taken, self._taken = self._taken, asyncio.Event()
        taken.set()

    async def _take_snapshot(self) -> ServiceSnapshot:
        client = self.core.client
        health = await client.health()
        if not health.ready:
            return ServiceSnapshot(health, self.snapshot.model, self.snapshot.version)
        was_ready = self.snapshot.health.ready
        metrics = await client.metrics()
        version = self.snapshot.version if was_ready else await client.version()
        try:
            model = await client.model_info()
        except InferenceError:
            model = None
        return ServiceSnapshot(health, model, version, metrics)
