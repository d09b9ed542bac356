"""All MCP servers of the configuration, and which of their tools were allowed as they are."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial

from bot.config import McpConfig
from bot.storage import Store
from bot.storage.store import StoredRegistrations
from bot.tools.asking import Asking
from bot.tools.definition import Tool
from bot.tools.mcp.offered import Offered, Standing, tools_of
from bot.tools.mcp.server import McpServer

PLATFORM = "mcp"
"""What fingerprints of tools are registered under."""


class McpServers:
    """`note` is told of what leaves beside the calls of an answer: tool, host, bytes."""

    def __init__(
        self,
        configs: Mapping[str, McpConfig],
        store: Store | None,
        note: Callable[[str, str, int], None],
    ) -> None:
        self._store = store
        self._known: set[tuple[str, str]] = set()
        """Tools and fingerprints that are known to be allowed."""
        self._servers = [
            McpServer(name, config, partial(note, f"mcp {name}"))
            for name, config in configs.items()
        ]

    @property
    def _registered(self) -> StoredRegistrations:
        assert self._store is not None  # where there is a server
        return self._store.registrations

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the connections meanwhile."""
        tasks = [asyncio.create_task(server.run()) for server in self._servers]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=5)

    async def tools(self, asking: Asking, note: Callable[[str, str, int], None]) -> list[Tool]:
        """What may be used here, by whom it is. Raises StorageError."""
        found = []
        for server in await self._usable(asking):
            for offered in tools_of(server):
                if await self._standing(offered, asking) is Standing.ALLOWED:
                    found.append(offered.tool(asking, note))
        return found

    async def overview(
        self, asking: Asking
    ) -> list[tuple[McpServer, list[tuple[Offered, Standing]]]]:
        """The servers that may be used here, and how their tools stand. Raises StorageError."""
        return [
            (server, [(one, await self._standing(one, asking)) for one in tools_of(server)])
            for server in await self._usable(asking)
        ]

    def hosts(self, asking: Asking) -> list[str]:
        """What may be reached for who asks."""
        return [server.host for server in self._servers if asking.may_use(server.config)]

    async def allow(self, name: str, asking: Asking, *, everywhere: bool) -> bool:
        """Allow a changed tool as it is now; False where none is called so. Raises StorageError."""
        for server in await self._usable(asking):
            for offered in tools_of(server):
                if name in (offered.name, offered.raw.name):
                    key = _key(offered, None if everywhere else asking)
                    await self._registered.set(PLATFORM, key, offered.digest)
                    return True
        return False

    async def _usable(self, asking: Asking) -> list[McpServer]:
        usable = [server for server in self._servers if asking.may_use(server.config)]
        await asyncio.gather(*(server.fresh() for server in usable))
        return usable

    async def _standing(self, offered: Offered, asking: Asking) -> Standing:
        """A tool that the configuration names is allowed as it was first seen."""
        if offered.raw.name not in offered.server.config.allow:
            return Standing.NOT_ALLOWED
        digest, everywhere = offered.digest, _key(offered, None)
        if (everywhere, digest) in self._known:
            return Standing.ALLOWED
        first = await self._registered.get(PLATFORM, everywhere)
        if first is None:
            await self._registered.set(PLATFORM, everywhere, digest)
        if first in (None, digest):
            self._known.add((everywhere, digest))
            return Standing.ALLOWED
        here = await self._registered.get(PLATFORM, _key(offered, asking))
        return Standing.ALLOWED if here == digest else Standing.CHANGED


def _key(offered: Offered, asking: Asking | None) -> str:
    """What a tool's fingerprint is registered as: for all, or for one server of a platform."""
    place = f" {asking.platform}/{asking.server}" if asking else ""
    return f"{offered.server.name}/{offered.raw.name}{place}"
