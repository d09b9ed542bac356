"""The bot's own words, from config/texts/<language>.yaml, with the operator's overrides.

A key that a language lacks is taken from English.
"""

from typing import Any

from bot.config import Config, builtin_texts


class Texts:
    """Texts of one language: `texts("queued", position=2)`."""

    def __init__(self, config: Config, language: str) -> None:
        self._texts = {**builtin_texts("en"), **builtin_texts(language), **config.texts}

    def __call__(self, key: str, /, **fields: Any) -> str:
        return self._texts[key].format(**fields)

    def duration(self, seconds: float) -> str:
        """A waiting time as people say it: `40 s`, `3 min`, `2 h`."""
        if seconds < 90:
            return self("seconds", count=max(1, round(seconds)))
        if seconds < 90 * 60:
            return self("minutes", count=round(seconds / 60))
        return self("hours", count=round(seconds / 3600))
