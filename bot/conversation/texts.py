"""The bot's own words, from config/texts/<language>.yaml, with the operator's overrides.

A key that a language lacks is taken from English.
"""

import re
from typing import Any

from bot.config import Config, builtin_texts

COMMAND = re.compile(r"(?<![\w/.:])/(?=[a-z])")
"""Where the name of a command begins in a text."""


class Texts:
    """Texts of one language: `texts("queued", position=2)`.

    On Slack, where all apps share the names of commands, ours begin with `slack.command_prefix`.
    """

    def __init__(self, config: Config, language: str, platform: str = "") -> None:
        self._texts = {**builtin_texts("en"), **builtin_texts(language), **config.texts}
        self._prefix = config.slack.command_prefix if platform == "slack" else ""

    def __call__(self, key: str, /, **fields: Any) -> str:
        return self.command(self._texts[key]).format(**fields)

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

    def duration(self, seconds: float) -> str:
        """A waiting time as people say it: `40 s`, `3 min`, `2 h`."""
        if seconds < 90:
            return self("seconds", count=max(1, round(seconds)))
        if seconds < 90 * 60:
            return self("minutes", count=round(seconds / 60))
        return self("hours", count=round(seconds / 3600))
