"""An MCP server on a real socket, made with the SDK, whose tools a test sets and changes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import uvicorn
from mcp.server import MCPServer
from mcp.types import ToolAnnotations


class McpDouble:
    """`called` are the calls that arrived, with their arguments."""

    def __init__(self) -> None:
        self.server = MCPServer("double")
        self.called: list[tuple[str, dict[str, Any]]] = []
        self.url = ""

    def tool(
        self,
        name: str,
        result: str | Callable[[str], str] = "done",
        *,
        reads: bool = False,
        description: str = "A tool of a test.",
    ) -> None:
        """A tool that takes a `text`."""

        def run(text: str = "") -> str:
            self.called.append((name, {"text": text}))
            return result if isinstance(result, str) else result(text)

        hints = ToolAnnotations(read_only_hint=reads)
        self.server.tool(name, description=description, annotations=hints)(run)

    def change(self, name: str, description: str, *, reads: bool = False) -> None:
        """Describe a tool in another way."""
        self.server.remove_tool(name)
        self.tool(name, reads=reads, description=description)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        app = self.server.streamable_http_app()
        config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="on")
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[method-assign]
        serving = asyncio.create_task(server._serve())
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/mcp"
        try:
            yield self
        finally:
            server.should_exit = server.force_exit = True
            await serving
