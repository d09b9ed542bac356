"""All MCP servers of the configuration, and which of their tools are allowed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial

from bot.config import McpConfig
from bot.storage import Store
from bot.storage.store import StoredRegistrations
from bot.tools.context import ToolContext
from bot.tools.definition import Tool
from bot.tools.mcp.server import McpServer
from bot.tools.mcp.tool import McpTool, ToolStatus, tools_of

PLATFORM = "mcp"
"""The name under which fingerprints of tools are registered."""


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

    async def tools(
        self, context: ToolContext, note: Callable[[str, str, int], None]
    ) -> list[Tool]:
        """The tools that the asker may use here. Raises StorageError."""
        found = []
        for server in await self._usable(context):
            for tool in tools_of(server):
                if await self._status(tool, context) is ToolStatus.ALLOWED:
                    found.append(tool.tool(context, note))
        return found

    async def overview(
        self, context: ToolContext
    ) -> list[tuple[McpServer, list[tuple[McpTool, ToolStatus]]]]:
        """The servers that the asker may use here, and each tool's status. Raises StorageError."""
        return [
            (server, [(one, await self._status(one, context)) for one in tools_of(server)])
            for server in await self._usable(context)
        ]

    def hosts(self, context: ToolContext) -> list[str]:
        """What may be reached for who asks."""
        return [server.host for server in self._servers if context.may_use(server.config)]

    async def allow(self, name: str, context: ToolContext, *, everywhere: bool) -> bool:
        """Allow a changed tool as it is now; False where none is called so. Raises StorageError."""
        for server in await self._usable(context):
            for tool in tools_of(server):
                if name in (tool.name, tool.raw.name):
                    key = _key(tool, None if everywhere else context)
                    await self._registered.set(PLATFORM, key, tool.digest)
                    return True
        return False

    async def _usable(self, context: ToolContext) -> list[McpServer]:
        usable = [server for server in self._servers if context.may_use(server.config)]
        await asyncio.gather(*(server.fresh() for server in usable))
        return usable

    async def _status(self, tool: McpTool, context: ToolContext) -> ToolStatus:
        """A tool that the configuration names is allowed as it was first seen."""
        if tool.raw.name not in tool.server.config.allow:
            return ToolStatus.NOT_ALLOWED
        digest, everywhere = tool.digest, _key(tool, None)
        if (everywhere, digest) in self._known:
            return ToolStatus.ALLOWED
        first = await self._registered.get(PLATFORM, everywhere)
        if first is None:
            await self._registered.set(PLATFORM, everywhere, digest)
        if first in (None, digest):
            self._known.add((everywhere, digest))
            return ToolStatus.ALLOWED
        here = await self._registered.get(PLATFORM, _key(tool, context))
        return ToolStatus.ALLOWED if here == digest else ToolStatus.CHANGED


def _key(tool: McpTool, context: ToolContext | None) -> str:
    """What a tool's fingerprint is registered as: for all, or for one server of a platform."""
    place = f" {context.platform}/{context.server}" if context else ""
    return f"{tool.server.name}/{tool.raw.name}{place}"
