"""HTML: a page's words as Markdown."""

from collections.abc import Iterator

from bs4 import BeautifulSoup
from markdownify import MarkdownConverter

UNSEEN = ("script", "style", "template", "noscript", "svg", "head")


def extract(data: bytes) -> Iterator[str]:
    """A page's title and all of its text, with headings, lists, links, tables and code."""
    page = BeautifulSoup(data, "lxml")
    if page.title is not None:
        yield f"[title] {page.title.get_text(' ', strip=True)}\n\n"
    for element in page.find_all(UNSEEN):
        element.decompose()
    yield MarkdownConverter(heading_style="ATX").convert_soup(page).strip()
