"""An event loop whose clock goes on by itself: who sleeps is woken at once, at the right time."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
TICK = 1e-6
"""Seconds that a turn of the loop takes: who waits for a moment that rounding moved gets there."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Only for what waits for nothing but time and other tasks."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        self._now += TICK
        if not ready:  # a timer that was cancelled wakes nobody
            waking = (timer.when() for timer in scheduled if not timer.cancelled())
            self._now = max(self._now, min(waking, default=self._now))
        super()._run_once()  # type: ignore[misc]


def run_in_virtual_time(coroutine: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(coroutine)
