"""Taking over changes of the configuration file while the bot runs."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bot.config.config_file import load_config
from bot.config.errors import ConfigError
from bot.config.schema import Config

RESTART_SECTIONS = ("inference", "discord", "slack", "storage", "metrics", "status", "mcp")
"""What is read once at the start: connections, the model, the database, what is listened on."""


LONGEST_SHOWN = 40
"""Characters of a value that a change shows whole."""


@dataclass(frozen=True)
class ConfigChange:
    """A new configuration that now applies.

    needs_restart: the changed keys that wait for a restart.
    changed: those that apply now, with their values before and after; None: there was or is none.
    """

    config: Config
    needs_restart: list[str]
    changed: Mapping[str, tuple[str | None, str | None]]


def reload(current: Config) -> ConfigChange:
    """Load the file of `current` again. Raises ConfigError; then nothing changes."""
    loaded = load_config(current.path)
    waiting = [
        f"{section}.{key}"
        for section in RESTART_SECTIONS
        for key in _changed(dict(getattr(current, section)), dict(getattr(loaded, section)))
    ]
    kept = {section: getattr(current, section) for section in RESTART_SECTIONS}
    new = loaded.model_copy(update=kept)
    return ConfigChange(new, waiting, _differences(current, new))


def _differences(old: Config, new: Config) -> dict[str, tuple[str | None, str | None]]:
    before, after = _values(old), _values(new)
    return {
        key: (_shown(before.get(key)), _shown(after.get(key)))
        for key in {**before, **after}
        if (before.get(key) or None) != (after.get(key) or None)
    }


def _values(value: Any, key: str = "") -> dict[str, Any]:
    """Each single value by its dotted key."""
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if not isinstance(value, Mapping):
        return {key: value}
    found: dict[str, Any] = {}
    for name, inner in value.items():
        found |= _values(inner, f"{key}.{name}" if key else str(name))
    return found


def _shown(value: Any) -> str | None:
    """A value in short; secrets are masked (`SecretStr`)."""
    if isinstance(value, Collection) and not isinstance(value, str):
        value = ", ".join(sorted(map(str, value)))
    if value is None or value == "":
        return None
    text = str(value)
    return text if len(text) <= LONGEST_SHOWN and "\n" not in text else "…"


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    keys = dict.fromkeys([*before, *after])
    return [key for key in keys if before.get(key) != after.get(key)]


async def watch(current: Callable[[], Config]) -> AsyncIterator[ConfigChange | ConfigError]:
    """Yield what becomes of each change of the file or of the personas beside it."""
    path = current().path
    if path is None:
        return
    from watchfiles import awatch  # only where there is a file

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
