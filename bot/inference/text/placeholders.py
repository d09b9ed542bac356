"""What people typed, kept away from the chat template.

The template gets a placeholder for each text. In what it renders, the placeholders are replaced: as
they are, or JSON-encoded where the template encoded them, which a quote in the placeholder shows.
"""

import json
import re
from typing import Any

# Plain ASCII, so that no vocabulary turns it into an unknown token.
_PLACEHOLDER = re.compile(r'xTYPED(\d+)TEXT(?:x|(\\*)"x)')
_HARMLESS = re.compile(r"(?!.*xTYPED)[\w\s.,:;()'/+*=&%$#@!?-]*", re.S)
"""Text that spells no control token, whatever the model: those have brackets or bars."""


class Placeholders:
    """The texts of one prompt."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._required: dict[int, str] = {}

    def hide(self, text: str, what: str) -> str:
        """A placeholder for `text`, which the template must show; `what` names it in an error.

        White space around the text stays, so that a template which trims it still does.
        """
        inner = text.strip()
        if not inner:
            return text
        self._required[len(self._texts)] = f"{what} ({len(inner)} characters)"
        return text.replace(inner, self._add(inner, "x"), 1)

    def hide_encoded(self, text: str, what: str = "") -> str:
        """A placeholder for `text`, which the template may encode as JSON.

        It must show the text if `what` names it.
        """
        if what:
            self._required[len(self._texts)] = f"{what} ({len(text)} characters)"
        return self._add(text, '"x')

    def hide_raw(self, text: str, what: str) -> str:
        """A placeholder for `text` to the last sign, which the template must show; see `hide`."""
        self._required[len(self._texts)] = f"{what} ({len(text)} characters)"
        return self._add(text, "x")

    def hide_values(self, value: Any) -> Any:
        """`value`, which JSON can be made of, with placeholders for texts that could do harm."""
        match value:
            case str():
                return value if _HARMLESS.fullmatch(value) else self.hide_encoded(value)
            case dict():
                return {self.hide_values(k): self.hide_values(v) for k, v in value.items()}
            case list():
                return [self.hide_values(item) for item in value]
            case _:
                return value

    def left_out(self, rendered: str) -> str | None:
        """The first text that must be shown and is not in `rendered`."""
        shown = {int(match[1]) for match in _PLACEHOLDER.finditer(rendered)}
        return next((what for key, what in self._required.items() if key not in shown), None)

    def fill(self, rendered: str) -> str:
        """`rendered` with the texts in their places."""
        return _PLACEHOLDER.sub(self._text, rendered)

    def _add(self, text: str, end: str) -> str:
        self._texts.append(text)
        return f"xTYPED{len(self._texts) - 1}TEXT{end}"

    def _text(self, match: re.Match[str]) -> str:
        text = self._texts[int(match[1])]
        # The quote has no backslash before it where it was not encoded, then 1, 3, 7, …
        for _ in range(len(match[2] or "").bit_length()):
            text = json.dumps(text, ensure_ascii=False)[1:-1]
        return text
