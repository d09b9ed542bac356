"""The bot's own words, from config/texts/<language>.yaml, with the operator's overrides.

A key that a language lacks is taken from English. A key with the platform's name at its end stands
in for the same without it. Where a text has forms, CLDR's rules for the language choose one.
"""

import re
from collections.abc import Iterable
from typing import Any

from babel import Locale
from babel.lists import format_list
from babel.numbers import format_decimal

from bot.config import Config, Text, builtin_texts

COMMAND = re.compile(r"(?<![\w/.:])/(?=[a-z])")
"""Where the name of a command begins in a text."""
LOCALES = {"en": "en_001"}
"""The locale of a language, where it isn't called the same: lists without a comma before "or"."""


class Texts:
    """Texts of one language: `texts("queued", position=2)`.

    On Slack, where all apps share the names of commands, ours begin with `slack.command_prefix`.
    """

    def __init__(self, config: Config, language: str, platform: str = "") -> None:
        self.locale = _locale(language)
        self._platform = platform
        self._layers = (
            (self.locale, config.texts),
            (self.locale, builtin_texts(language)),
            (_locale("en"), builtin_texts("en")),
        )
        self._prefix = config.slack.command_prefix if platform == "slack" else ""

    def __call__(self, key: str, /, **fields: Any) -> str:
        locale, text = self._find(key)
        form = text if isinstance(text, str) else text[_form(locale, text, fields)]
        return self.command(form).format(**fields)

    def command(self, text: str) -> str:
        """`text` with its commands named as they are on this platform."""
        return COMMAND.sub(f"/{self._prefix}", text) if self._prefix else text

    def plain_command(self, line: str) -> str:
        """A typed line with the command's own name.

        `/bot-effort high` and `/bot effort high` both mean `/effort high`.
        """
        name, _, rest = line.removeprefix("/").partition(" ")
        if self._prefix and name.lower() == self._prefix.rstrip("-_"):
            return f"/{rest.strip().removeprefix('/') or 'help'}"
        return f"/{name.removeprefix(self._prefix)} {rest}"

    def choice(self, words: Iterable[str]) -> str:
        """What can be chosen: `low, medium or high`."""
        return format_list([str(word) for word in words], style="or", locale=self.locale)

    def duration(self, seconds: float) -> str:
        """A waiting time as people say it: `40 s`, `3 min`, `2 h`."""
        if seconds < 90:
            return self("seconds", count=max(1, round(seconds)))
        if seconds < 90 * 60:
            return self("minutes", count=round(seconds / 60))
        return self("hours", count=round(seconds / 3600))

    def elapsed(self, seconds: float) -> str:
        """A time that was measured: `1.2 s`."""
        return self("seconds", count=format_decimal(seconds, "0.0", locale=self.locale))

    def language_name(self, language: str) -> str:
        """What a language is called in this one: `German`."""
        return str(Locale.parse(language).get_language_name(self.locale))

    def _find(self, key: str) -> tuple[Locale, Text]:
        """The text, and the locale that it is written in."""
        for locale, texts in self._layers:
            for name in (f"{key}_{self._platform}", key):
                if name in texts:
                    return locale, texts[name]
        raise KeyError(key)


def _locale(language: str) -> Locale:
    return Locale.parse(LOCALES.get(language, language))


def _form(locale: Locale, text: dict[str, str], fields: dict[str, Any]) -> str:
    """Which form of a text its number takes: `position` counts in order, `count` counts things."""
    if "position" in fields:
        number, category = fields["position"], locale.ordinal_form
    else:
        number, category = fields["count"], locale.plural_form
    wanted = (f"={number}", category(number), "other")
    return next(form for form in wanted if form in text)
