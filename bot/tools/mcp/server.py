"""One MCP server. A task of its own owns the connection: the SDK's can't be closed in another.

https://modelcontextprotocol.io
"""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from bot.config import McpConfig
from bot.tools.definition import Arguments, ToolError, ToolResult
from bot.tools.outbound import Note, Outbound, origin_of, parsed_url

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult, Tool

log = structlog.get_logger()
logging.getLogger("mcp").setLevel(logging.CRITICAL)  # it quotes what it can't read

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
"""Between two tries to reach a server."""
START_SECONDS = 30.0
"""In which a server must have started and told its tools."""
LISTED_SECONDS = 30.0
"""How long a list of tools is taken as current."""
MOST_TOOLS = 1000
"""Of a server, that are looked at."""


@dataclass(frozen=True)
class _Call:
    tool: str
    arguments: Arguments
    result: "asyncio.Future[ToolResult]"


@dataclass(frozen=True)
class _List:
    result: "asyncio.Future[ToolResult]"


@dataclass
class McpServer:
    """`tools` are those that it told last, as it told them; `problem` is why there are none."""

    name: str
    config: McpConfig
    note: Note
    """Told of what leaves beside calls: to connect, and to list the tools."""
    tools: "Sequence[Tool]" = ()
    problem: str = "it has not answered yet"
    _requests: "asyncio.Queue[_Call | _List]" = field(default_factory=asyncio.Queue)
    _listed_at: float = -LISTED_SECONDS
    _connected: bool = False
    _told: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def host(self) -> str:
        """What a receipt calls it."""
        return parsed_url(self.config.url).host if self.config.url else f"program {self.name}"

    async def run(self) -> None:
        """Keep a connection, for ever."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._serve()
                pause = FIRST_PAUSE_SECONDS
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) and task.cancelling():
                    raise
                self._lost("the connection was lost")  # a dead HTTP server cancels who asks it
            except Exception as error:
                self._lost(_reason(error))
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def call(self, tool: str, arguments: Arguments) -> ToolResult:
        """What a call gives. Raises ToolError."""
        return await self._ask(_Call(tool, arguments, asyncio.get_running_loop().create_future()))

    async def fresh(self) -> None:
        """Look at the tools again, if that is some time ago; what hangs is not waited for."""
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError, ToolError):
            async with asyncio.timeout(START_SECONDS / 10):
                if not self._told.is_set():
                    await self._told.wait()
                elif self._connected and loop.time() - self._listed_at > LISTED_SECONDS:
                    self._listed_at = loop.time()  # also if it hangs: the next answer goes on
                    await self._ask(_List(loop.create_future()))

    async def _ask(self, request: "_Call | _List") -> ToolResult:
        if not self._connected:
            raise ToolError(f"the server {self.name} can't be reached")
        self._requests.put_nowait(request)
        return await request.result

    def _lost(self, problem: str) -> None:
        self._connected, self.tools, self.problem = False, (), problem
        self._told.set()
        log.warning("an MCP server can't be reached", server=self.name, reason=problem)
        while not self._requests.empty():
            _fail(self._requests.get_nowait().result, f"the server {self.name} was lost")

    async def _serve(self) -> None:
        """Connect, and make calls until the connection is lost. Raises what the SDK does."""
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(START_SECONDS):
                    client = await stack.enter_async_context(self._client())
                    await self._list(client)
            except TimeoutError:
                raise ToolError(f"it told no tools within {START_SECONDS:g} s") from None
            log.info("an MCP server is connected", server=self.name, tools=len(self.tools))
            async with asyncio.TaskGroup() as calls:
                while True:
                    request = await self._requests.get()
                    task = calls.create_task(self._make(client, request))
                    request.result.add_done_callback(partial(_cancel, task))

    async def _make(self, client: "Client", request: "_Call | _List") -> None:
        from mcp import MCPError
        from mcp.types import CONNECTION_CLOSED

        result = request.result
        try:
            if isinstance(request, _List):
                await self._list(client)
                output = ToolResult("")
            else:
                output = _output(await client.call_tool(request.tool, dict(request.arguments)))
            if not result.done():
                result.set_result(output)
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                raise
            if not result.done():
                result.set_result(ToolResult(f"Error: {error}", failed=True))
        finally:  # also where the connection ends under it
            _fail(result, f"the server {self.name} was lost")

    async def _list(self, client: "Client") -> None:
        found: list[Tool] = []
        cursor: str | None = None
        while len(found) < MOST_TOOLS:
            page = await client.list_tools(cursor=cursor)
            found += page.tools
            cursor = page.next_cursor
            if not cursor:
                break
        self.tools, self.problem, self._connected = found[:MOST_TOOLS], "", True
        self._listed_at = asyncio.get_running_loop().time()
        self._told.set()

    @asynccontextmanager
    async def _client(self) -> "AsyncIterator[Client]":
        from mcp import Client, StdioServerParameters
        from mcp.client.stdio import get_default_environment, stdio_client
        from mcp.client.streamable_http import streamable_http_client

        config = self.config
        if config.command:
            environment = {name: value.get_secret_value() for name, value in config.env.items()}
            program, *arguments = config.command
            server = StdioServerParameters(
                command=program,
                args=arguments,
                env={**get_default_environment(), **environment},
            )
            # What a program says on stderr may be what people wrote: it must not get into a log.
            with Path(os.devnull).open("w") as nowhere:  # noqa: ASYNC230
                async with Client(stdio_client(server, errlog=nowhere), cache=None) as client:
                    yield client
            return
        origin = origin_of(parsed_url(config.url))
        headers = {name: value.get_secret_value() for name, value in config.headers.items()}
        gate = Outbound(self.note, frozenset({origin}), only=origin)
        async with gate.client(headers) as http:
            transport = streamable_http_client(config.url, http_client=http)
            async with Client(transport, cache=None) as client:
                yield client


def _cancel(task: "asyncio.Task[None]", result: "asyncio.Future[ToolResult]") -> None:
    """Who waited for the result has gone, or it is there."""
    if result.cancelled():
        task.cancel()


def _fail(result: "asyncio.Future[ToolResult]", reason: str) -> None:
    if not result.done():
        result.set_exception(ToolError(reason))


def _output(result: "CallToolResult") -> ToolResult:
    """The texts of a result; of pictures and the like only that they were there."""
    parts = []
    for part in result.content:
        text = getattr(part, "text", None)
        if text is None and (resource := getattr(part, "resource", None)) is not None:
            text = getattr(resource, "text", None)
        parts.append(text if text is not None else f"[{part.type}]")
    if not parts and result.structured_content is not None:
        parts.append(json.dumps(result.structured_content, ensure_ascii=False))
    whole = "\n".join(parts) or "(nothing)"
    return ToolResult(f"Error: {whole}" if result.is_error else whole, failed=bool(result.is_error))


def _reason(error: BaseException) -> str:
    """The first cause, in one line."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return " ".join(str(error).split())[:200] or type(error).__name__
