"""How the app gets events and interactions: attempts, retries and repetitions, by either way in.

https://docs.slack.dev/apis/events-api/#retries
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.doubles.slack.http_mode import HttpMode
from tests.doubles.slack.socket_mode import SocketMode
from tests.doubles.slack.state import Payload
from tests.doubles.slack.ways import NotTaken, Retry

if TYPE_CHECKING:
    from tests.doubles.slack.world import World


@dataclass
class Delivered:
    """An event, and how that went."""

    event: Payload
    attempts: int = 0
    acknowledged: bool = False


class Delivery:
    """Brings what happens to the app: over the socket, or to a URL once that is set."""

    def __init__(self, world: "World") -> None:
        self.socket = SocketMode(world)
        self.http = HttpMode(world)
        self.events: list[Delivered] = []
        self._world = world
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def settled(self) -> bool:
        """Whether nothing is under way."""
        return not self._tasks

    def event(self, payload: Payload) -> None:
        """Start to deliver an event."""
        delivered = Delivered(payload)
        self.events.append(delivered)
        every = self._world.repeat_every
        again = every > 0 and len(self.events) % every == 0
        self.start(self._event(delivered, again))

    async def interaction(self, kind: str, payload: Payload) -> Payload:
        """Deliver a command or an interaction, once; what the app answered at once."""
        way = self.http if self.http.url else self.socket
        return await way.send(kind, payload, None)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._world.changed()

    async def _event(self, delivered: Delivered, again: bool) -> None:
        way = self.http if self.http.url else self.socket
        retry: Retry | None = None
        for number, pause in enumerate([*self._world.retry_after, None], 1):
            delivered.attempts += 1
            try:
                await way.send("events_api", delivered.event, retry)
                delivered.acknowledged = True
                if not again:
                    return
                again, reason = False, "timeout"
            except NotTaken as failure:
                if failure.final:
                    return
                reason = failure.reason
            finally:
                self._world.changed()
            retry = Retry(number, reason)
            if pause is not None and not delivered.acknowledged:
                await asyncio.sleep(pause)
