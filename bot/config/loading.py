"""From the YAML file to a Config, or to a list of problems that each name a line and a key."""

import os
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from string import Formatter
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from bot.config.builtin import builtin_config_dir, builtin_personas, builtin_texts
from bot.config.schema import Config, PersonaConfig, PersonaName

Key = tuple[str | int, ...]

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


class ConfigError(Exception):
    """The configuration can't be used. Each of `problems` is one line that says why."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


def find_config(path: Path | None) -> Path | None:
    """The file to load: `path`, else $BOT_CONFIG, else ./config/bot.yaml; None: the built-in."""
    if path is None and (named := os.environ.get("BOT_CONFIG")):
        path = Path(named)
    if path is not None:
        return path
    here = Path("config/bot.yaml")
    return here if here.is_file() else None


def load_config(path: Path | None = None) -> Config:
    """Load and validate the file that `find_config` finds. Raises ConfigError."""
    found = find_config(path)
    document = _Document(found or builtin_config_dir() / "bot.yaml")
    data = _parse(document.file, (), document)
    if not isinstance(data, dict):
        kind = type(data).__name__
        raise ConfigError([f"{document.file}:1: found a {kind}, allowed: sections and keys"])
    if found is not None and isinstance(data.setdefault("personas", {}), dict):
        for file in sorted((found.parent / "personas").glob("*.yaml")):
            if file.stem not in data["personas"]:
                data["personas"][file.stem] = _parse(file, ("personas", file.stem), document)
    for key, text in (*_unknown_personas(data), *_bad_texts(data)):
        document.add_problem(key, text)
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            document.add_problem(*_described(problem))
    if document.problems:
        raise ConfigError(document.problems)
    config._path = found
    return config


@dataclass
class _Document:
    """Where each key was read, and what was wrong so far."""

    file: Path
    places: dict[Key, str] = field(default_factory=dict)
    """`file:line` of each key."""
    problems: list[str] = field(default_factory=list)

    def add_problem(self, key: Key, text: str) -> None:
        known = (key[:n] for n in range(len(key), 0, -1) if key[:n] in self.places)
        place = self.places[next(known, ())]
        self.problems.append(f"{place}: {'.'.join(map(str, key))}: {text}")


def _parse(file: Path, key: Key, document: _Document) -> Any:
    """What `file` says at `key` of the configuration. Raises ConfigError if it is no YAML."""
    document.places[key] = f"{file}:1"
    try:
        loader = yaml.SafeLoader(file.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        return {} if root is None else _construct(loader, root, key, file, document)
    except OSError as error:
        raise ConfigError([f"{file}: can't be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{file}: is not UTF-8 text (byte {error.start})"]) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError([f"{file}:{line}: not valid YAML: {error.problem}"]) from error
    except yaml.YAMLError as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError([f"{file}: not valid YAML: {reason}"]) from error


def _construct(
    loader: yaml.SafeLoader, node: yaml.Node, key: Key, file: Path, document: _Document
) -> Any:
    """The node's value, `${VAR}` in texts replaced. What is left empty counts as absent."""
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        mapping: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = str(loader.construct_object(name_node, deep=True))
            child = (*key, name)
            line = name_node.start_mark.line + 1
            if name in mapping:
                document.add_problem(child, f"given twice, again in line {line}")
            document.places[child] = f"{file}:{line}"
            value = _construct(loader, value_node, child, file, document)
            if value is not None:
                mapping[name] = value
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_construct(loader, item, key, file, document) for item in node.value]
    value = loader.construct_object(node, deep=True)
    if isinstance(value, str) and _VARIABLE.search(value):
        return _expand(value, key, document) or None
    return value


def _expand(text: str, key: Key, document: _Document) -> str:
    def value(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if default is None and name not in os.environ:
            document.add_problem(key, f"the environment variable {name} is not set")
        return os.environ.get(name) or default or ""  # an empty one counts as missing, as in sh

    return _VARIABLE.sub(value, text)


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
            yield (*key, "persona"), f"there is no persona {name!r}, {_hint(name, known)}"


def _bad_texts(data: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    """Texts that replace none of the bot's, or have fields which that one has not."""
    texts = builtin_texts("en")
    for key, text in _section(data, "texts").items():
        if key not in texts:
            yield ("texts", key), f"unknown key, {_hint(key, list(texts))}"
        elif isinstance(text, str):
            allowed = _fields(texts[key])
            try:
                surplus = sorted(_fields(text) - allowed)
            except ValueError as error:
                yield ("texts", key), f"not a text with fields: {error}"
                continue
            if surplus:
                found, known = _braced(surplus), _braced(allowed) or "no fields"
                yield ("texts", key), f"found {found}, allowed: {known}"


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def _braced(names: Iterable[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names))


def _section(data: Any, *key: str | int) -> dict[str, Any]:
    """The keys and values at `key`; none where there is something else."""
    for part in key:
        data = data.get(part) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _hint(found: str, known: Sequence[str]) -> str:
    nearest = get_close_matches(found, known, n=1)
    return f"did you mean {nearest[0]!r}?" if nearest else f"allowed: {', '.join(known)}"


def check_persona(name: str, prompt: str) -> None:
    """Raise ConfigError unless a persona made in chat keeps the file's rules."""
    try:
        TypeAdapter(dict[PersonaName, PersonaConfig]).validate_python({name: prompt})
    except ValidationError as error:
        raise ConfigError([_described(e)[1] for e in error.errors(include_url=False)]) from None


def _described(error: Any) -> tuple[Key, str]:
    """The key that one of pydantic's errors is about, and the problem in plain words."""
    key: Key = tuple(part for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        return key, _unknown_key(key)
    value = error["input"]
    if _annotation(key) is SecretStr:
        found = "***"
    elif isinstance(value, str) and len(value) > 60:
        found = f"{len(value)} characters"
    elif isinstance(value, dict | list):
        found = f"a {type(value).__name__}"
    else:
        found = repr(value)
    return key, f"found {found}, allowed: {_allowed(error)}"


def _unknown_key(key: Key) -> str:
    model = _annotation(key[:-1])
    known = list(model.model_fields) if _is_model(model) else []
    return f"unknown key, {_hint(str(key[-1]), known)}"


_ALLOWED: dict[str, str | Callable[[dict[str, Any]], str]] = {
    "enum": lambda ctx: str(ctx["expected"]),
    "literal_error": lambda ctx: str(ctx["expected"]),
    "greater_than_equal": lambda ctx: f"at least {ctx['ge']:g}",
    "greater_than": lambda ctx: f"more than {ctx['gt']:g}",
    "less_than_equal": lambda ctx: f"at most {ctx['le']:g}",
    "string_too_long": lambda ctx: f"at most {ctx['max_length']} characters",
    "string_too_short": "a text that is not empty",
    "value_error": lambda ctx: str(ctx["error"]).removeprefix("allowed: "),
    "missing": "a value here",
}
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a text",
    "dict": "keys with values",
    "model": "keys with values",
    "path": "a path",
}


def _allowed(error: Any) -> str:
    """What the key takes, from https://docs.pydantic.dev/latest/errors/validation_errors/."""
    kind: str = error["type"]
    if rule := _ALLOWED.get(kind):
        return rule if isinstance(rule, str) else rule(error["ctx"])
    return _KINDS.get(kind.partition("_")[0], str(error["msg"]))


def _annotation(key: Key) -> Any:
    """The type that the schema has at `key`; None where the schema has no such key."""
    found: Any = Config
    for part in key:
        if _is_model(found):
            info = found.model_fields.get(str(part))
            found = _plain(info.annotation) if info else None
        elif get_origin(found) is dict:
            found = _plain(get_args(found)[1])
        else:
            return None
    return found


def _plain(annotation: Any) -> Any:
    """Without Annotated and `| None`."""
    if get_origin(annotation) is typing.Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (types.UnionType, typing.Union):
        return _plain(next(a for a in get_args(annotation) if a is not types.NoneType))
    return annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
