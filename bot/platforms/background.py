"""Work that goes on beside a platform's events."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from bot.storage import StorageError

log = structlog.get_logger()

CANCELS, CANCEL_SECONDS = 8, 0.1
"""How often remaining tasks are cancelled at the end, and the seconds that each round has."""


class Background:
    """Tasks that nobody awaits until the end; `refused` are errors that the platform answers."""

    def __init__(
        self,
        refused: type[Exception] | tuple[type[Exception], ...],
        describe: Callable[[Exception], str] = str,
    ) -> None:
        self._refused = refused
        self._describe = describe
        self._tasks: set[asyncio.Task[None]] = set()
        self.ending = False
        """Whether nothing more should be begun."""

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin `work`; its failure is logged."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def done(self) -> None:
        """Wait until all of it has ended. Cancelling this call cancels what is left."""
        self.ending = True
        try:
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            await self._cancel()

    async def _cancel(self) -> None:
        """End what is left: cancelled once, it may still try to show something."""
        for _ in range(CANCELS):
            if not self._tasks:
                return
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=CANCEL_SECONDS)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, self._refused):
            log.warning("the platform refused", reason=" ".join(self._describe(error).split()))
        elif isinstance(error, StorageError):
            log.error("the database failed", error=str(error))
        else:
            log.error("a task failed", exc_info=error)
