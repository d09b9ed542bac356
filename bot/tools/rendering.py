"""What of a model's text may leak when it is shown: pictures, and addresses that nobody saw before.

A platform may fetch what a message names, for a preview. After something was read that may have
given orders, an address that the asker could not see is shown as code: nothing fetches that.
"""

import re

from bot.tools.taint import Taint

_PICTURE = re.compile(r"!\[(?=[^\[\]\n]*\]\()")
_LINK = re.compile(r"\[([^\[\]\n]{0,300})\]\(\s*<?(https?://[^\s()<>]+)>?[^()\n]{0,100}\)", re.I)
_BARE = re.compile(r"(?<![`(<\w/])(https?://[^\s<>`\]]+)", re.I)
_UNFINISHED = re.compile(r"(!?\[[^\[\]\n]{0,300}(\](\([^()\n]{0,2000})?)?|\S+)$")
MOST_HELD = 3000


class Quiet:
    """Makes a text quiet while it comes; what may become a link is held until it is one."""

    def __init__(self, taint: Taint) -> None:
        self._taint = taint
        self._held = ""

    def add(self, text: str) -> str:
        """What can be shown of the text with this next piece."""
        text, self._held = self._held + text, ""
        if not self._taint.tainted:
            return text
        if (unfinished := _UNFINISHED.search(text)) and len(text) - unfinished.start() < MOST_HELD:
            text, self._held = text[: unfinished.start()], text[unfinished.start() :]
        return self._quiet(text)

    def rest(self) -> str:
        """What was held at the end."""
        held, self._held = self._held, ""
        return self._quiet(held)

    def _quiet(self, text: str) -> str:
        text = _PICTURE.sub("[", text)
        text = _LINK.sub(self._link, text)
        return _BARE.sub(self._bare, text)

    def _link(self, link: re.Match[str]) -> str:
        return link[0] if self._taint.was_seen(link[2]) else f"{link[1]} (`{link[2]}`)"

    def _bare(self, address: re.Match[str]) -> str:
        whole = address[1]
        end = len(whole)
        while end and whole[end - 1] in ".,;:!?)*_~":
            end -= 1
        if self._taint.was_seen(whole) or self._taint.was_seen(whole[:end]):
            return whole
        return f"`{whole[:end]}`{whole[end:]}"
