"""The numbers that a summary cites, as links to the messages that have them.

Only code makes links: what the model writes as one is shown as the text it is.
"""

import re
from collections.abc import Sequence

LINK_LABEL = "↗"
_CITED = re.compile(
    r"[ \t]*[\[【]\s*#?(\d+(?:[\s,;#\u2013-]+\d+)*)\s*(?:†[^\[\]【】\n]{0,40})?[\]】]"
)
_UNFINISHED = re.compile(r"[ \t]*[\[【][^\[\]【】\n]{0,40}\Z")


class MessageCitations:
    """links: to the messages 1, 2 and so on. `jump`: what an address of any message looks like."""

    def __init__(self, links: Sequence[str], jump: re.Pattern[str]) -> None:
        self._links = links
        self._jump = jump

    def only(self, text: str, numbers: range) -> str:
        """A part's text with none but these numbers: what others would say isn't in the part."""

        def kept(cited: re.Match[str]) -> str:
            found = [number for number in _numbers(cited) if number in numbers]
            return "".join(f" [{number}]" for number in found)

        return _CITED.sub(kept, text)

    def linked(self, text: str, *, finished: bool = True) -> str:
        """The text with links for numbers; while it is unfinished, without half a number."""
        if not finished:
            text = _UNFINISHED.sub("", text)
        # A label would hide where a link leads, and the address of a message can be invented.
        text = self._jump.sub("", text).replace("](", "] (").replace("]:", "] :")
        return _CITED.sub(self._shown, text)

    def _shown(self, cited: re.Match[str]) -> str:
        known = [n for n in _numbers(cited) if 1 <= n <= len(self._links)]
        return "".join(f" [{LINK_LABEL}]({self._links[number - 1]})" for number in known)


def _numbers(cited: re.Match[str]) -> list[int]:
    """The numbers in one pair of brackets, each once; of a range, its ends."""
    return list(dict.fromkeys(int(number) for number in re.findall(r"\d{1,9}", cited[1])))
