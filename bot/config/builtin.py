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


@cache
def builtin_personas() -> dict[str, Any]:
    """The personas that exist whatever the configuration file says, as raw data by name."""
    return personas_in(builtin_config_dir() / "personas")


def personas_in(folder: Path) -> dict[str, Any]:
    """One persona a file, named after it."""
    return {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.yaml"))
    }
