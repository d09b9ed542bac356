"""Citations as gpt-oss writes them, 【6†L9-L11】, become links to the pages that they name."""

import re
from collections.abc import Sequence

from bot.tools.web.pages import Page

_CITATION = re.compile(r"[ \u00a0]?【(\d{1,4})†[^【】\n]{0,60}】")
_UNFINISHED = re.compile(r"[ \u00a0]?【\d{0,4}(†[^【】\n]{0,60})?$")


class PageCitations:
    """The sources of one answer, numbered as they are cited."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._pages = pages
        self._held = ""
        self._numbers: dict[str, int] = {}

    def add(self, text: str) -> str:
        """What can be shown of the text with this next piece: an unfinished citation is held."""
        text = _CITATION.sub(self._link, self._held + text)
        unfinished = _UNFINISHED.search(text)
        cut = unfinished.start() if unfinished else len(text)
        text, self._held = text[:cut], text[cut:]
        return text

    def rest(self) -> str:
        """What was held at the end; a citation that never ended is left out."""
        held, self._held = self._held, ""
        return "" if "【" in held else held

    @property
    def sources(self) -> list[tuple[str, str]]:
        """Titles and addresses of what was cited, in the order of their numbers."""
        titles = {page.url: page.title for page in self._pages}
        return [(titles.get(url, "") or url, url) for url in self._numbers]

    def _link(self, citation: re.Match[str]) -> str:
        cursor = int(citation[1])
        url = self._pages[cursor].url if cursor < len(self._pages) else ""
        if not url:
            return ""  # of the results of a search, or of nothing
        number = self._numbers.setdefault(url, len(self._numbers) + 1)
        return f" [{number}]({_in_brackets(url)})"


def _in_brackets(url: str) -> str:
    """An address that no bracket of a link ends early."""
    return url.replace("(", "%28").replace(")", "%29")
