"""Stop strings in streamed text: no part of one is ever shown."""

from collections.abc import Iterable


class StopStrings:
    """Lets text through up to the first complete stop string, whatever pieces the text comes in.

    Of several complete at the same character, the one that begins first counts.
    """

    found: bool = False
    """Whether a stop string was met; nothing is let through from then on."""
    rest: str = ""
    """The text pushed together with the stop string's end and standing after it."""

    def __init__(self, strings: Iterable[str]) -> None:
        self._strings = [string for string in strings if string]
        self._held = ""

    def push(self, text: str) -> str:
        """The text that can be shown: no stop string begins in it."""
        if self.found:
            return ""
        text = self._held + text
        matches = [
            (begin + len(string), begin)
            for string in self._strings
            if (begin := text.find(string)) >= 0
        ]
        if matches:
            end, begin = min(matches)
            self.found, self.rest, self._held = True, text[end:], ""
            return text[:begin]
        shown = len(text) - self._possible_beginning(text)
        self._held = text[shown:]
        return text[:shown]

    def flush(self) -> str:
        """What was held back in case a stop string had begun; call it when the text has ended."""
        text, self._held = self._held, ""
        return text

    def _possible_beginning(self, text: str) -> int:
        """Length of the longest end of `text` that a stop string begins with."""
        longest = max(map(len, self._strings), default=1) - 1
        for size in range(min(longest, len(text)), 0, -1):
            if any(string.startswith(text[-size:]) for string in self._strings):
                return size
        return 0
