"""The threads that the bot takes part in, from its own record: the platform is not asked."""

from collections import OrderedDict

import structlog

from bot.conversation.events import Place
from bot.storage import StorageError, Store

log = structlog.get_logger()

REMEMBERED = 5_000
"""Threads that the database need not be asked about."""

_Key = tuple[str, str, str, str]


class JoinedThreads:
    """Threads in which somebody turned to the bot: it hears what is said there after that.

    Taking a question in a thread stores that the bot takes part in it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._since: OrderedDict[_Key, str | None] = OrderedDict()
        """None for those that it was removed from."""

    def turned_to(self, place: Place, message: str) -> None:
        """The bot takes part in the thread from this message on, or from an earlier one."""
        key = _key(place)
        self._remember(key, self._since.get(key) or message)

    async def open(self, place: Place, message: str) -> None:
        """The bot opened the thread for the answer to a message elsewhere."""
        self.turned_to(place, message)
        try:
            await self._store.threads.join(*_key(place), message)
        except StorageError as error:
            log.error("a thread could not be noted", error=str(error))

    async def leave(self, place: Place) -> None:
        """The bot was removed from the thread: it is silent there until somebody turns to it."""
        self._remember(_key(place), None)
        try:
            await self._store.threads.leave(*_key(place))
        except StorageError as error:
            log.error("a thread could not be forgotten", error=str(error))

    async def since(self, place: Place) -> str | None:
        """The message that the bot takes part in the thread with; None where it does not."""
        key = _key(place)
        if key in self._since:
            return self._since[key]
        since = None
        try:
            since = await self._store.threads.since(*key)
        except StorageError as error:
            log.error("the record of threads can't be read", error=str(error))
        if since is not None:
            self._remember(key, since)
        return since

    def _remember(self, key: _Key, since: str | None) -> None:
        self._since[key] = since
        while len(self._since) > REMEMBERED:
            self._since.popitem(last=False)


def _key(place: Place) -> _Key:
    return place.platform, place.server, place.channel, str(place.thread)
