"""The bot's own words, from config/texts/<language>.yaml, with the operator's overrides.

A key that a language lacks is taken from English.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from bot.config import Config, builtin_config_dir

FALLBACK = "en"


class Texts:
    """Texts of one language: `texts("queued", position=2)`."""

    def __init__(self, language: str, overrides: dict[str, str]) -> None:
        self.language = language
        self._texts = _catalog(FALLBACK) | _catalog(language) | overrides

    def __call__(self, key: str, /, **fields: Any) -> str:
        return self._texts[key].format(**fields)

    def duration(self, seconds: float) -> str:
        """A waiting time as people say it: `40 s`, `3 min`, `2 h`."""
        if seconds < 90:
            return self("seconds", count=max(1, round(seconds)))
        if seconds < 90 * 60:
            return self("minutes", count=round(seconds / 60))
        return self("hours", count=round(seconds / 3600))


def texts_for(config: Config, language: str) -> Texts:
    """The texts of `language` as the operator wants them."""
    return Texts(language, dict(config.texts))


def languages() -> list[str]:
    """The languages that a catalog exists for."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def _folder() -> Path:
    return builtin_config_dir() / "texts"


@cache
def _catalog(language: str) -> dict[str, str]:
    path = _folder() / f"{language}.yaml"
    if not path.is_file():
        return {}
    texts: dict[str, str] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return texts
