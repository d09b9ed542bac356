"""A SearXNG on a real socket, and pages beside it, which a test fills."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web


@dataclass
class Page:
    body: str
    content_type: str = "text/html"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class SearxngDouble:
    """`results` are what every search gives; `pages` are by their paths."""

    def __init__(self) -> None:
        self.results: list[dict[str, str]] = []
        self.pages: dict[str, Page] = {}
        self.instead: Page | None = None
        """What a search gets in place of results."""
        self.queries: list[str] = []
        self.asked: list[str] = []
        """Paths with their queries, of pages."""
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        application = web.Application()
        application.add_routes(
            [web.get("/search", self._search), web.get("/{path:.*}", self._page)]
        )
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def result(self, path: str, title: str, content: str, body: str) -> str:
        """A result, and the page that it leads to; its address."""
        self.pages[path] = Page(body)
        self.results.append({"url": f"{self.url}{path}", "title": title, "content": content})
        return f"{self.url}{path}"

    async def _search(self, request: web.Request) -> web.Response:
        if request.query.get("format") != "json":
            raise web.HTTPForbidden
        self.queries.append(request.query["q"])
        if self.instead is not None:
            return self._shown(self.instead)
        answer: dict[str, Any] = {"query": request.query["q"], "results": self.results}
        return web.json_response(answer)

    async def _page(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        page = self.pages.get(request.path)
        if page is None:
            raise web.HTTPNotFound
        return self._shown(page)

    def _shown(self, page: Page) -> web.Response:
        return web.Response(
            text=page.body,
            content_type=page.content_type,
            status=page.status,
            headers=page.headers,
        )
