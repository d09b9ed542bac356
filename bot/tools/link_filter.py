"""Removes from a model's text what could leak data when it is shown: pictures and new addresses.

A platform may fetch what a message names, for a preview. After something was read that may have
given orders, an address that the asker could not see is shown without its `https://`, as code where
it can be: whatever stands around it, no platform takes that for an address.
"""

import re

from bot.tools.taint import Taint

_PICTURE = re.compile(r"!(?=\[)")
_ADDRESS = re.compile(
    r"\[(?P<label>[^\[\]\n]{0,300})\]\(\s*<?(?P<linked>https?://[^\s()<>]+)>?[^()\n]{0,100}\)"
    r"|https?://[^\s<]+",
    re.I,
)
"""A link, or an address with all that a platform may take for a part of it."""
_SCHEME = re.compile(r"https?://", re.I)
_AFTER = ".,;:!?)*_~>\"'`]|}\u201d\u00bb\u3002\uff0c\u3001\uff09\u300d\u300f\uff01\uff1f"
_UNFINISHED = re.compile(r"(!?\[[^\[\]\n]{0,300}(\](\([^()\n]{0,2000})?)?|\S+)$")
_BEGUN = re.compile(r"(h(t(t(p(s?(:/{0,2})?)?)?)?)?|!)$", re.I)
MOST_HELD = 3000


class LinkFilter:
    """Filters a text while it is written; what may become a link is held back until it is one."""

    def __init__(self, taint: Taint) -> None:
        self._taint = taint
        self._held = ""

    def add(self, text: str) -> str:
        """Add the next piece; returns what can be shown now."""
        text, self._held = self._held + text, ""
        if not self._taint.tainted:
            return text
        unfinished = _UNFINISHED.search(text)
        if unfinished and len(text) - unfinished.start() >= MOST_HELD:
            unfinished = _BEGUN.search(text)
        if unfinished:
            text, self._held = text[: unfinished.start()], text[unfinished.start() :]
        return self._quiet(text)

    def rest(self) -> str:
        """What was held back, at the end."""
        held, self._held = self._held, ""
        return self._quiet(held)

    def _quiet(self, text: str) -> str:
        return _ADDRESS.sub(self._shown, _PICTURE.sub("", text)) if self._taint.tainted else text

    def _shown(self, found: re.Match[str]) -> str:
        if linked := found["linked"]:
            label = found["label"]
            if not self._taint.was_seen(label):
                label = _without_scheme(label)
            if self._taint.was_seen(linked):
                return found[0].replace(found["label"], label, 1)
            return f"{label} (`{_without_scheme(linked)}`)"
        address = found[0]
        end = len(address)
        while end and not self._taint.was_seen(address[:end]) and address[end - 1] in _AFTER:
            end -= 1
        if self._taint.was_seen(address[:end]):
            return address
        shown = _without_scheme(address.rstrip(_AFTER))
        after = address[len(address.rstrip(_AFTER)) :]
        before = found.string[found.start() - 1] if found.start() else ""
        if "`" in shown + before + after:
            return f" {shown}{after}"
        return f"`{shown}`{after}"


def _without_scheme(address: str) -> str:
    """It, and what stands in it; a space in place of what is taken out leaves no new one."""
    return _SCHEME.sub(" ", address).strip() if _SCHEME.search(address) else address
