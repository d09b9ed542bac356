"""From the YAML file to a Config, or to a list of problems that each name a line and a key."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Formatter
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bot.config.builtin import (
    Text,
    builtin_config_dir,
    builtin_personas,
    builtin_texts,
    builtin_variables,
)
from bot.config.errors import ConfigError
from bot.config.schema import Config
from bot.config.schema.conversation import PersonaConfig
from bot.config.schema.values import PersonaName
from bot.config.wording import described, hint, kind_of
from bot.config.yaml_reader import Key, YamlReader


def find_config(path: Path | None) -> Path | None:
    """The file to load: `path`, else $BOT_CONFIG, else ./config/bot.yaml; None: the built-in."""
    if path is None and (named := os.environ.get("BOT_CONFIG")):
        path = Path(named)
    if path is not None:
        return path
    here = Path("config/bot.yaml")
    try:
        here.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass  # it is there: reading it will say what is wrong
    return here


def load_config(path: Path | None = None) -> Config:
    """Load and validate the file that `find_config` finds. Raises ConfigError."""
    found = find_config(path)
    reader = YamlReader(found or builtin_config_dir() / "bot.yaml")
    data = reader.read(reader.file)
    if not isinstance(data, dict):
        problem = f"found {kind_of(data)}, allowed: sections and keys"
        raise ConfigError([f"{reader.file}:1: {problem}"])
    if found is not None and isinstance(data.setdefault("personas", {}), dict):
        for file in _persona_files(found.parent / "personas"):
            if file.stem not in data["personas"]:
                data["personas"][file.stem] = reader.read(file, ("personas", file.stem))
    for (section, name), text in builtin_variables().items():
        keys = data.setdefault(section, {})
        if isinstance(keys, dict) and (section, name) not in reader.places:
            value = reader.expand(text, (section, name))
            if (section, name) in reader.origins:
                keys[name] = value
    for key, text in (*_unknown_personas(data), *_bad_texts(data)):
        reader.add_problem(key, text)
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        for mistake in error.errors(include_url=False):
            reader.add_problem(*described(mistake))
    if reader.problems:
        raise ConfigError(reader.problems)
    config._path = found
    config._origins = {".".join(map(str, key)): o for key, o in reader.origins.items()}
    return config


def check_persona(name: str, prompt: str, description: str = "") -> None:
    """Raise ConfigError unless a persona made in chat keeps the file's rules."""
    try:
        persona = {"prompt": prompt, "description": description}
        TypeAdapter(dict[PersonaName, PersonaConfig]).validate_python({name: persona})
    except ValidationError as error:
        raise ConfigError([described(e)[1] for e in error.errors(include_url=False)]) from None


def _persona_files(folder: Path) -> list[Path]:
    """Raises ConfigError; glob would say nothing of a folder that can't be read."""
    try:
        return sorted(file for file in folder.iterdir() if file.suffix == ".yaml")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ConfigError([f"{folder}: can't be read: {error.strerror}"]) from error


def _unknown_personas(data: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    """Personas that are named somewhere but don't exist."""
    known = [*builtin_personas(), *_section(data, "personas")]
    sections: list[Key] = [("defaults",)]
    for server in _section(data, "servers"):
        sections.append(("servers", server))
        channels = _section(data, "servers", server, "channels")
        sections += [("servers", server, "channels", channel) for channel in channels]
    for key in sections:
        name = _section(data, *key).get("persona")
        if isinstance(name, str) and name not in known:
            yield (*key, "persona"), f"no persona is called {name!r}, {hint(name, known)}"


def _bad_texts(data: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    """Texts that replace none of the bot's, or have fields which that one has not."""
    texts = builtin_texts("en")
    for key, text in _section(data, "texts").items():
        if key not in texts:
            yield ("texts", key), f"unknown key, {hint(key, list(texts))}"
        elif isinstance(text, str):
            allowed = _fields_of_all(texts[key])
            try:
                surplus = _fields(text) - allowed
            except ValueError as error:
                yield ("texts", key), f"not a text with fields: {error}"
                continue
            if surplus:
                found, known = _braced(surplus), _braced(allowed) or "no fields"
                yield ("texts", key), f"found {found}, allowed: {known}"


def _fields_of_all(text: Text) -> set[str]:
    """The fields of all its forms."""
    forms = [text] if isinstance(text, str) else text.values()
    return set().union(*map(_fields, forms))


def _fields(text: str) -> set[str]:
    """The fields as they are written, so that one with a format, `{count:d}`, is another one."""
    return {
        f"{name}{f'!{conversion}' if conversion else ''}{f':{format_}' if format_ else ''}"
        for _, name, format_, conversion in Formatter().parse(text)
        if name is not None
    }


def _braced(names: Iterable[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names))


def _section(data: Any, *key: str | int) -> dict[str, Any]:
    """The keys and values at `key`; none where there is something else."""
    for part in key:
        data = data.get(part) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}
