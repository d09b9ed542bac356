"""The threads that the bot takes part in, from its own record: Slack is not asked."""

from collections import OrderedDict

import structlog

from bot.platforms.slack.messages import Payload, thread_of
from bot.platforms.slack.workspace import Workspace
from bot.storage import StorageError, Store

log = structlog.get_logger()

REMEMBERED = 5_000
"""Threads that the database need not be asked about."""


class JoinedThreads:
    """Threads in which somebody turned to the bot: it hears what is said there after that."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._since: OrderedDict[tuple[str, str, str], str] = OrderedDict()

    def join(self, workspace: Workspace, message: Payload) -> None:
        """Take part in the message's thread from now on; taking the question has stored it."""
        key, ts = _key(workspace, message), str(message["ts"])
        self._remember(key, self._since.get(key, ts))

    async def hears(self, workspace: Workspace, message: Payload) -> bool:
        """Whether the message is said to the bot: after it was turned to in the thread."""
        if thread_of(message) == message["ts"]:
            return False  # it begins one
        if message.get("parent_user_id") == workspace.me:
            return True
        key = _key(workspace, message)
        since = self._since.get(key)
        if since is None:
            try:
                since = await self._store.threads.since("slack", *key)
            except StorageError as error:
                log.error("the record of threads can't be read", error=str(error))
            if since is None:
                return False
            since = since.rpartition(":")[2]
            self._remember(key, since)
        return bool(since < message["ts"])

    def _remember(self, key: tuple[str, str, str], since: str) -> None:
        self._since[key] = since
        while len(self._since) > REMEMBERED:
            self._since.popitem(last=False)


def _key(workspace: Workspace, message: Payload) -> tuple[str, str, str]:
    return workspace.team, str(message["channel"]), thread_of(message)
