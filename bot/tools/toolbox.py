"""All the tools that there are, and what has left through them."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol

import structlog

from bot.config import Config
from bot.storage import StorageError, Store
from bot.tools.calculator import CALCULATOR
from bot.tools.clock import clock
from bot.tools.context import ToolContext
from bot.tools.mcp.servers import McpServers
from bot.tools.outbound import Outbound, origin_of, parsed_url
from bot.tools.receipt import Receipt
from bot.tools.search_here import search_here
from bot.tools.session import Session
from bot.tools.taint import Taint

if TYPE_CHECKING:
    from bot.tools.web.browser import Browser

log = structlog.get_logger()

OPERATOR = ("", "")
"""In place of a platform and a server: what leaves for no answer."""
PAGES = "*"
"""Among what may be reached: any page of the web."""
MOST_TOOLS = 128
"""OpenAI's limit for a request; a server that has it refuses them all."""
REMEMBERED = 2000
"""Servers whose receipts are kept."""


class ToolProvider(Protocol):
    """Gives each answer its tools."""

    async def open(self, config: Config, context: ToolContext) -> Session:
        """The tools of one answer."""
        ...


class Toolbox:
    """Gives each answer all its tools.

    config, store: of the start; MCP servers are theirs, and without them there are none.
    """

    def __init__(self, config: Config | None = None, store: Store | None = None) -> None:
        self._receipts: OrderedDict[tuple[str, str], Receipt] = OrderedDict()
        operator = self._receipt_of(OPERATOR)

        def note(tool: str, host: str, count: int) -> None:
            operator.add(host, tool, count)

        self.mcp = McpServers(config.mcp if config and store else {}, store, note)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep what tools need meanwhile."""
        async with self.mcp.running():
            yield

    async def open(self, config: Config, context: ToolContext) -> Session:
        """The tools of one answer."""
        receipt, total = Receipt(), self._receipt_of((context.platform, context.server))

        def note(tool: str, host: str, count: int) -> None:
            receipt.add(host, tool, count)
            total.add(host, tool, count)

        browser = _browser(config, note)
        tools = [CALCULATOR, clock(context.time_zone)]
        if context.search is not None:
            tools.append(search_here(context.search))
        if browser is not None:
            tools += browser.tools()
        try:
            tools += await self.mcp.tools(context, note)
        except StorageError as error:  # which are allowed can't be told
            log.error("MCP tools are left out", error=str(error))
        if len(tools) > MOST_TOOLS:
            left_out = [tool.name for tool in tools[MOST_TOOLS:]]
            log.warning("more tools than a request may have", left_out=left_out)
        taint = Taint(context.texts, tainted=context.tainted)
        return Session(tools[:MOST_TOOLS], config.tools, taint, receipt, browser)

    def reachable(self, config: Config, context: ToolContext) -> list[str]:
        """The hosts that tools may reach for who asks; PAGES for pages of the web."""
        hosts = self.mcp.hosts(context)
        if config.web.search != "none":
            from bot.tools.web.engines import BRAVE

            hosts.append(parsed_url(config.web.url or BRAVE).host)
            if config.web.fetch:
                hosts.append(PAGES)
        return hosts

    def sent(self, platform: str, server: str) -> Receipt:
        """What left for a server's answers since the bot started."""
        return self._receipts.get((platform, server)) or Receipt()

    def all_sent(self) -> Receipt:
        """What left for all servers, and for no answer: to reach MCP servers."""
        whole = Receipt()
        for receipt in self._receipts.values():
            for host, sent in receipt:
                for tool in sent.tools:
                    whole.add(host, tool, 0)
                whole.add(host, min(sent.tools), sent.bytes)
        return whole

    def _receipt_of(self, key: tuple[str, str]) -> Receipt:
        receipt = self._receipts.setdefault(key, Receipt())
        self._receipts.move_to_end(key)
        while len(self._receipts) > REMEMBERED:
            self._receipts.popitem(last=False)
        return receipt


def _browser(config: Config, note: Callable[[str, str, int], None]) -> "Browser | None":
    """None where the web is off. Only the search engine may be at a private address."""
    web = config.web
    if web.search == "none":
        return None
    from bot.tools.web.browser import Browser  # only where the web is on
    from bot.tools.web.engines import engine

    trusted = frozenset({origin_of(parsed_url(web.url))} if web.url else ())

    def gate(tool: str) -> Outbound:
        return Outbound(partial(note, tool), trusted)

    return Browser(gate("browser.open"), engine(web, gate("browser.search")), fetch=web.fetch)
