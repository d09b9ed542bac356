"""The folder config/ that comes with the bot: defaults, personas, model presets, texts."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml


def builtin_config_dir() -> Path:
    """config/ of the source tree, or its copy inside an installed wheel."""
    package = Path(__file__).parent.parent
    installed = package / "_config"
    return installed if installed.is_dir() else package.parent / "config"


Text = str | dict[str, str]
"""A text with `{fields}`; or its forms by their names in CLDR, or `=N` for exactly that number."""


@cache
def builtin_texts(language: str) -> dict[str, Text]:
    """The bot's own words in `language`."""
    path = builtin_config_dir() / "texts" / f"{language}.yaml"
    texts: dict[str, Text] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return texts


@cache
def builtin_languages() -> list[str]:
    """The languages that there are texts in."""
    return sorted(path.stem for path in (builtin_config_dir() / "texts").glob("*.yaml"))


@cache
def builtin_personas() -> dict[str, Any]:
    """The personas that exist whatever the configuration file says, as raw data by name."""
    return {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in sorted((builtin_config_dir() / "personas").glob("*.yaml"))
    }


@cache
def builtin_variables() -> dict[tuple[str, str], str]:
    """Section and key of the settings that have a variable: `${DISCORD_TOKEN:-}` and the like."""
    text = (builtin_config_dir() / "bot.yaml").read_text(encoding="utf-8")
    return {
        (section, key): value
        for section, keys in yaml.safe_load(text).items()
        for key, value in keys.items()
        if isinstance(value, str) and "${" in value
    }
