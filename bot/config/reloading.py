"""Taking over changes of the configuration file while the bot runs."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watchfiles import awatch

from bot.config.errors import ConfigError
from bot.config.loading import load_config
from bot.config.schema import Config

RESTART_SECTIONS = ("inference", "discord", "slack", "storage", "metrics", "status", "mcp")
"""What is read once at the start: connections, the model, the database, what is listened on."""


@dataclass(frozen=True)
class Change:
    """A new configuration that now applies, and the changed keys that wait for a restart."""

    config: Config
    needs_restart: list[str]


def reload(current: Config) -> Change:
    """Load the file of `current` again. Raises ConfigError; then nothing changes."""
    loaded = load_config(current.path)
    waiting = [
        f"{section}.{key}"
        for section in RESTART_SECTIONS
        for key in _changed(dict(getattr(current, section)), dict(getattr(loaded, section)))
    ]
    kept = {section: getattr(current, section) for section in RESTART_SECTIONS}
    return Change(loaded.model_copy(update=kept), waiting)


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    keys = dict.fromkeys([*before, *after])
    return [key for key in keys if before.get(key) != after.get(key)]


async def watch(current: Callable[[], Config]) -> AsyncIterator[Change | ConfigError]:
    """Yield what becomes of each change of the file or of the personas beside it."""
    path = current().path
    if path is None:
        return
    personas = path.parent / "personas"

    def is_ours(_: object, changed: str) -> bool:
        file = Path(changed)
        return file.name in (path.name, personas.name) or file.parent.name == personas.name

    while True:
        folders = [folder for folder in (path.parent, personas) if folder.is_dir()]
        async for _ in awatch(*folders, watch_filter=is_ours, recursive=False):
            try:
                yield reload(current())
            except ConfigError as error:
                yield error
            if personas.is_dir() != (personas in folders):
                break  # made or removed meanwhile: watch what is there now
