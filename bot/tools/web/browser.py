"""The browser of one answer: `browser.search`, `browser.open` and `browser.find`.

Names, arguments and what they show are those that gpt-oss was trained on:
https://github.com/openai/gpt-oss, simple_browser.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.tools.definition import Arguments, Tool, ToolError, ToolResult
from bot.tools.outbound import Outbound, parsed_url
from bot.tools.web.citations import PageCitations
from bot.tools.web.engines import Search
from bot.tools.web.pages import Page, read_page, results_page

VIEW_LENGTH = 4_000
"""Characters that are shown of a page at once: about 1,024 tokens."""
MOST_LINES = 400
RESULTS = 10
FOUND_LINES = 4
FOUND = 50
"""Places that a pattern is found at, and lines that are shown of each."""

_CITE = (
    " The cursor appears in brackets before each page: `[{cursor}]`. Cite what you use as"
    " `【{cursor}†L{line_start}(-L{line_end})?】`, for example `【6†L9-L11】` or `【8†L3】`."
)


class Browser:
    """The pages that were opened, each by its cursor."""

    def __init__(self, outbound: Outbound, search: Search | None, *, fetch: bool) -> None:
        self._outbound = outbound
        self._search = search
        self._fetch = fetch
        self.pages: list[Page] = []
        self.found: dict[str, str] = {}
        """The addresses that searches gave or that were opened, and their titles."""
        self.citations = PageCitations(self.pages)

    def tools(self) -> list[Tool]:
        """Those that the configuration allows."""
        tools = []
        if self._search is not None:
            tools.append(
                Tool(
                    "browser.search",
                    "Searches the web for `query` and displays `topn` results." + _CITE,
                    _object({"query": _TEXT, "topn": _NUMBER, "source": _TEXT}, "query"),
                    self._run_search,
                    about=lambda arguments: str(arguments.get("query", "")),
                    reads_outside=True,
                    sends_words=True,
                )
            )
        if self._fetch:
            tools.append(
                Tool(
                    "browser.open",
                    "Opens the link `id` from the page indicated by `cursor`, starting at line"
                    " number `loc` and showing `num_lines` lines. Valid link ids are displayed as"
                    " `【{id}†.*】`. Without `cursor` the most recent page is meant. An `id`"
                    " that is a string is a fully qualified URL. Without `id` the page is scrolled."
                    + _CITE,
                    _object(
                        {
                            "id": {"type": ["integer", "string"]},
                            "cursor": _NUMBER,
                            "loc": _NUMBER,
                            "num_lines": _NUMBER,
                            "view_source": {"type": "boolean"},
                            "source": _TEXT,
                        }
                    ),
                    self._run_open,
                    about=self._where,
                    reads_outside=True,
                    addresses=self._addresses,
                )
            )
        if tools:
            tools.append(
                Tool(
                    "browser.find",
                    "Finds exact matches of `pattern` in the current page, or the page given by"
                    " `cursor`.",
                    _object({"pattern": _TEXT, "cursor": _NUMBER}, "pattern"),
                    self._run_find,
                    about=lambda arguments: str(arguments.get("pattern", "")),
                )
            )
        return tools

    async def _run_search(self, arguments: Arguments) -> ToolResult:
        assert self._search is not None
        query = " ".join(arguments["query"].split())
        if not query:
            raise ToolError("the query is empty")
        count = min(max(int(_number(arguments, "topn", RESULTS)), 1), 2 * RESULTS)
        found = (await self._search(query, count))[:count]
        self.found |= {one.url: one.title for one in found}
        page = results_page(query, found)
        return ToolResult(self._show(page), f"{len(found)}")

    async def _run_open(self, arguments: Arguments) -> ToolResult:
        wanted = self._target(arguments)
        if isinstance(wanted, Page):
            page = wanted
        else:
            page = await read_page(wanted, self._outbound)
            page = replace(page, title=page.title or self.found.get(wanted, ""))
            self.found.setdefault(page.url, page.title)  # where it moved to
        begin, count = _number(arguments, "loc", 0), _number(arguments, "num_lines", 0)
        return ToolResult(self._show(page, begin, count), page.title or page.url)

    async def _run_find(self, arguments: Arguments) -> ToolResult:
        page, pattern = self._page(arguments), arguments["pattern"]
        places = [at for at, line in enumerate(page.lines) if pattern.lower() in line.lower()][
            :FOUND
        ]
        parts = []
        for number, at in enumerate(places):
            parts.append(f"# 【{number}†match at L{at}】")
            parts += [*page.lines[at : at + FOUND_LINES], ""]
        shown = parts or [f"No `find` results for pattern: `{pattern}`"]
        title = f"Find results for text: `{pattern}` in `{page.title}`"
        return ToolResult(self._show(Page(page.url, title, shown)), f"{len(places)}")

    def _addresses(self, arguments: Arguments) -> Sequence[str]:
        """What a call of browser.open would fetch."""
        try:
            wanted = self._target(arguments)
        except ToolError:
            return []
        return [] if isinstance(wanted, Page) or wanted in self.found else [wanted]

    def _where(self, arguments: Arguments) -> str:
        try:
            wanted = self._target(arguments)
        except ToolError:
            return str(arguments.get("id", ""))
        return wanted.title or wanted.url if isinstance(wanted, Page) else wanted

    def _target(self, arguments: Arguments) -> Page | str:
        """The page or the address that is to be opened. Raises ToolError."""
        id = arguments.get("id", -1)
        if isinstance(id, str) and not id.strip().lstrip("-").isdigit():
            return str(parsed_url(id))
        number = int(id)
        page = self._page(arguments)
        if number < 0:
            return page
        if number >= len(page.links):
            raise ToolError(f"there is no link {number} on this page")
        return page.links[number]

    def _page(self, arguments: Arguments) -> Page:
        cursor = _number(arguments, "cursor", -1)
        if not self.pages:
            raise ToolError("no page is open: search, or open an address")
        if cursor >= len(self.pages):
            raise ToolError(f"there is no page [{cursor}]")
        return self.pages[cursor if cursor >= 0 else -1]

    def _show(self, page: Page, begin: int = 0, count: int = 0) -> str:
        """A stretch of the page, which becomes the most recent one."""
        self.pages.append(page)
        total = len(page.lines)
        begin = min(max(begin, 0), max(total - 1, 0))
        most = min(count, MOST_LINES) if count > 0 else MOST_LINES
        shown: list[str] = []
        length = 0
        for at in range(begin, min(begin + most, total)):
            line = f"L{at}: {page.lines[at]}"
            length += len(line) + 1
            if shown and length > VIEW_LENGTH * (4 if count > 0 else 1):
                break
            shown.append(line)
        address = f" ({page.url})" if page.url else ""
        viewed = f"**viewing lines [{begin} - {begin + len(shown) - 1}] of {total - 1}**"
        return "\n".join([f"[{len(self.pages) - 1}] {page.title}{address}", viewed, "", *shown])


_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}


def _object(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(required)}


def _number(arguments: Arguments, name: str, default: int) -> int:
    value = arguments.get(name)
    return default if value is None or value == -1 else int(value)
