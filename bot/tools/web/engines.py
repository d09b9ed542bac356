"""Search engines: what they are asked, and what they answer."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from bot.config import WebConfig
from bot.tools.definition import ToolError
from bot.tools.outbound import Outbound, parsed_url

ANSWER_BYTES = 2 << 20
BRAVE = "https://api.search.brave.com"
MOST_RESULTS = 20
"""Brave's limit for one request."""


@dataclass(frozen=True)
class SearchResult:
    """One result of a search."""

    url: str
    title: str
    summary: str


Search = Callable[[str, int], Awaitable[list[SearchResult]]]
"""Takes the query and how many results are wanted. Raises ToolError."""


def engine(config: WebConfig, outbound: Outbound) -> Search | None:
    """The engine that is configured; None for none."""

    async def searxng(query: str, count: int) -> list[SearchResult]:
        """https://docs.searxng.org/dev/search_api.html"""
        question = urlencode({"q": query, "format": "json"})
        found = await _asked(outbound, f"{config.url.rstrip('/')}/search?{question}", {})
        return _results(found.get("results"), "content")[:count]

    async def brave(query: str, count: int) -> list[SearchResult]:
        """https://api-dashboard.search.brave.com/app/documentation/web-search"""
        question = urlencode({"q": query, "count": min(count, MOST_RESULTS)})
        url = f"{config.url.rstrip('/') or BRAVE}/res/v1/web/search?{question}"
        key = config.api_key.get_secret_value()
        found = await _asked(outbound, url, {"X-Subscription-Token": key})
        web = found.get("web")
        return _results(web.get("results") if isinstance(web, dict) else None, "description")

    return {"searxng": searxng, "brave": brave}.get(config.search)


async def _asked(outbound: Outbound, url: str, headers: dict[str, str]) -> dict[str, Any]:
    try:
        fetched = await outbound.fetch(
            url, limit=ANSWER_BYTES, headers={"Accept": "application/json", **headers}
        )
        found = json.loads(fetched.data)
    except ToolError as error:
        hint = "; SearXNG needs json in search.formats" if "403" in str(error) else ""
        raise ToolError(f"the search engine failed: {error}{hint}") from None
    except (ValueError, RecursionError):
        raise ToolError("the search engine answered no JSON") from None
    if not isinstance(found, dict):
        raise ToolError("the search engine answered something else than results")
    return found


def _results(found: Any, summary: str) -> list[SearchResult]:
    results = found if isinstance(found, list) else []
    return [
        SearchResult(str(one["url"]), _line(one.get("title")), _line(one.get(summary)))
        for one in results
        if isinstance(one, dict) and _is_address(one.get("url"))
    ]


def _is_address(url: Any) -> bool:
    """Whether it is one of the web; some results have what no client can read."""
    try:
        parsed_url(str(url))
    except ToolError:
        return False
    return True


def _line(text: Any) -> str:
    return " ".join(str(text or "").split())
