"""Pages as models read them: numbered lines, with links by number.

The form is that of gpt-oss's browser: https://github.com/openai/gpt-oss, simple_browser.
"""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx2

from bot.documents.kinds import Kind, kind_of
from bot.documents.problems import UnreadableFile
from bot.documents.reading import read_document
from bot.tools.definition import ToolError
from bot.tools.outbound import FetchResult, Outbound
from bot.tools.web.engines import SearchResult

WIDTH = 80
PAGE_BYTES = 5 << 20
TEXT_BYTES = 1 << 20
EXTRACTION_SECONDS = 20.0
_LINK = re.compile(
    r"!?\[([^\[\]]{0,300})\]\(\s*<?([^\s()<>]*(?:\([^\s()<>]*\))?[^\s()<>]*)>?[^()]{0,100}\)"
)
_BRACKETS = str.maketrans("【】†", "〖〗‡")


@dataclass(frozen=True)
class Page:
    """lines: of at most 80 characters. links: what the numbers in 【…】 mean."""

    url: str
    title: str
    lines: Sequence[str]
    links: Sequence[str] = field(default=(), repr=False)


async def read_page(url: str, outbound: Outbound) -> Page:
    """What is at `url`, as text. Raises ToolError."""
    fetched = await outbound.fetch(url, limit=PAGE_BYTES)
    try:
        title, text = await _text_of(fetched)
    except UnreadableFile as error:
        reason = error.problem.name.lower().replace("_", " ")
        raise ToolError(f"the page can't be read as text: {reason}") from None
    return page_of(fetched.url, title, text)


async def _text_of(fetched: FetchResult) -> tuple[str, str]:
    """The title and the text. Raises UnreadableFile, ToolError."""
    path = httpx2.URL(fetched.url).path
    kind = kind_of(path if "html" not in fetched.content_type else "", fetched.content_type)
    if not kind.is_readable:
        raise ToolError("there is no text: it is a picture, a sound, a video or a program")
    if kind is not Kind.WEB_PAGE:
        document = await read_document(fetched.data, kind, TEXT_BYTES, complete=fetched.complete)
        return path.rpartition("/")[2], document.text
    if not fetched.complete:
        raise ToolError("the page is too large")
    try:
        document = await read_document(
            fetched.data, Kind.ARTICLE, TEXT_BYTES, seconds=EXTRACTION_SECONDS
        )
    except UnreadableFile:  # no article: then all that it says
        document = await read_document(
            fetched.data, Kind.WEB_PAGE, TEXT_BYTES, seconds=EXTRACTION_SECONDS
        )
        return "", document.text
    title, _, text = document.text.partition("\n")
    return title, text


def page_of(url: str, title: str, markdown: str) -> Page:
    """A page of Markdown, whose links get numbers."""
    here = httpx2.URL(url)
    links: list[str] = []

    def numbered(link: re.Match[str]) -> str:
        text = " ".join(link[1].split())
        try:
            target = here.join(link[2])
        except (httpx2.InvalidURL, ValueError):
            return text
        if link[0].startswith("!") or target.scheme not in ("http", "https") or not text:
            return text
        links.append(str(target))
        place = "" if target.host == here.host else f"†{target.host}"
        return f"【{len(links) - 1}†{text}{place}】"

    text = _LINK.sub(numbered, markdown.translate(_BRACKETS))
    return Page(url, " ".join(title.translate(_BRACKETS).split()), wrapped(text), links)


def results_page(query: str, found: Sequence[SearchResult]) -> Page:
    """The results of a search as a page of links."""
    parts = []
    for at, one in enumerate(found):
        host = httpx2.URL(one.url).host
        title = (one.title or one.url).translate(_BRACKETS)
        parts.append(f"【{at}†{title}†{host}】")
        if one.summary:
            parts.append(one.summary.translate(_BRACKETS))
        parts.append("")
    text = "\n".join(parts) if found else "No results."
    return Page("", f"Search results for {query!r}", wrapped(text), [one.url for one in found])


def wrapped(text: str) -> list[str]:
    """Lines of at most 80 characters; a link that is longer stays whole."""
    lines: list[str] = []
    for line in text.strip().split("\n"):
        folded = textwrap.wrap(
            line, WIDTH, break_long_words=len(line) > 20 * WIDTH, break_on_hyphens=False
        )
        lines += folded or [""]
    return lines
