"""The tools of one answer: which may be called, their results, and what was sent for it."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog

from bot.config import ToolsConfig
from bot.tools.approval import Ask, approval_for, reason_to_ask
from bot.tools.definition import Arguments, Tool, ToolError, ToolResult
from bot.tools.link_filter import LinkFilter
from bot.tools.receipt import Receipt
from bot.tools.taint import Taint

if TYPE_CHECKING:
    from bot.tools.web.browser import Browser

log = structlog.get_logger()

RESULT_LENGTH = 20_000
"""Characters of a result that the model is given."""
ABOUT_LENGTH = 80
SOURCES = 5
"""That are named under an answer."""


class Session:
    """One answer's.

    taint: what it may depend on that others wrote.
    receipt: what left for it.
    """

    def __init__(
        self,
        tools: Iterable[Tool],
        limits: ToolsConfig,
        taint: Taint | None = None,
        receipt: Receipt | None = None,
        browser: "Browser | None" = None,
    ) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._limits = limits
        self._browser = browser
        self.taint = taint or Taint([], tainted=False)
        self.receipt = Receipt() if receipt is None else receipt
        self._link_filter = LinkFilter(self.taint)

    @property
    def tools(self) -> list[Tool]:
        """All that may be called."""
        return list(self._tools.values())

    @property
    def definitions(self) -> list[dict[str, Any]]:
        """What the model is offered."""
        return [tool.definition for tool in self._tools.values()]

    def named(self, name: str) -> Tool | None:
        """The tool that a call names: some models write `functions.` before it, or no dot."""
        plain = name.removeprefix("functions.")
        with_dot = plain.replace("browser_", "browser.", 1)
        found = (self._tools.get(one) for one in (name, plain, with_dot))
        return next((tool for tool in found if tool), None)

    def about(self, tool: Tool, arguments: Arguments) -> str:
        """What a call is about, in a few words; "" where there is nothing to say."""
        value = " ".join(tool.about(arguments).split())
        return value if len(value) <= ABOUT_LENGTH else f"{value[:ABOUT_LENGTH]}…"

    async def call(self, id: str, tool: Tool, arguments: Arguments, ask: Ask) -> ToolResult:
        """Make a call within its time, once the asker has allowed it where that is needed.

        Errors are told to the model, which may call again.
        """
        try:
            tool.check(arguments)
            if reason := reason_to_ask(tool, arguments, self.taint):
                if not await ask(approval_for(id, tool, arguments, reason)):
                    return failed("the person who asked did not allow this call")
                self.taint.allow(tool.addresses(arguments))
            async with asyncio.timeout(self._limits.timeout_seconds):
                result = await tool.run(arguments)
        except ToolError as error:
            return failed(str(error))
        except TimeoutError:
            return failed(f"it took longer than {self._limits.timeout_seconds:g} s")
        except Exception as error:  # without its text, which may quote the call
            log.error("a tool failed", tool=tool.name, kind=type(error).__name__)
            return failed("the tool failed")
        if tool.reads_outside:
            self.taint.read(results=tool.name == "browser.search")
            self.taint.allow(self._browser.found if self._browser else ())
        if (left_out := len(result.text) - RESULT_LENGTH) > 0:
            cut = f"{result.text[:RESULT_LENGTH]}\n[{left_out} more characters were left out]"
            return replace(result, text=cut)
        return result

    def unknown(self, name: str) -> ToolResult:
        """What a call of no tool gives."""
        return failed(f"there is no tool {name[:64]!r}; there are: {', '.join(self._tools)}")

    def shown(self, text: str) -> str:
        """What may be shown of the answer with its next piece: citations as links, and no pictures.

        A citation of no page is left out. What may become one of them is held until `rest`.
        """
        return self._link_filter.add(self._browser.citations.add(text) if self._browser else text)

    def rest(self) -> str:
        """What was held at the end of a request."""
        held = self._link_filter.add(self._browser.citations.rest()) if self._browser else ""
        return held + self._link_filter.rest()

    @property
    def sources(self) -> list[tuple[str, str]]:
        """Titles and addresses of what was cited, else of what was read."""
        if self._browser is None:
            return []
        if cited := self._browser.citations.sources:
            return cited
        read = {page.url: page.title or page.url for page in self._browser.pages if page.url}
        return [(title, url) for url, title in read.items()][:SOURCES]


def failed(reason: str) -> ToolResult:
    """A call that gave nothing."""
    return ToolResult(f"Error: {reason}", failed=True)
