"""From the YAML file to a Config, or to a list of problems that each name a line and a key."""

import os
import re
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from bot.config.builtin import builtin_config_dir, personas_in
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
    file = found or builtin_config_dir() / "bot.yaml"
    document = _parse(file)
    data = document.data
    problems = document.problems
    if found is not None and isinstance(data.get("personas", {}), dict):
        data["personas"] = _personas_beside(found, problems) | data.get("personas", {})
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        problems += [_problem(document, e) for e in error.errors(include_url=False)]
        raise ConfigError(problems) from None
    problems += [document.problem(key, text) for key, text in _unknown_personas(config)]
    if problems:
        raise ConfigError(problems)
    config._path = found
    return config


@dataclass
class _Document:
    """A parsed file: its data, the line of each key, and what was wrong already."""

    file: Path
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[Key, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def problem(self, key: Key, text: str) -> str:
        line = next(
            (self.lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in self.lines), 1
        )
        return f"{self.file}:{line}: {'.'.join(map(str, key))}: {text}"


def _parse(file: Path) -> _Document:
    document = _Document(file)
    try:
        loader = yaml.SafeLoader(file.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        data = None if root is None else _construct(loader, root, (), document)
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
    if data is not None and not isinstance(data, dict):
        raise ConfigError([f"{file}:1: found a {type(data).__name__}, allowed: sections and keys"])
    document.data = data or {}
    return document


def _construct(loader: yaml.SafeLoader, node: yaml.Node, key: Key, document: _Document) -> Any:
    """The node's value, `${VAR}` in texts replaced. What is left empty counts as absent."""
    document.lines[key] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        mapping: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = str(loader.construct_object(name_node, deep=True))
            child = (*key, name)
            if name in mapping:
                document.problems.append(
                    document.problem(child, f"given twice, again in line {_line(name_node)}")
                )
            value = _construct(loader, value_node, child, document)
            document.lines[child] = _line(name_node)
            if value is not None:
                mapping[name] = value
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_construct(loader, item, (*key, i), document) for i, item in enumerate(node.value)]
    value = loader.construct_object(node, deep=True)
    if isinstance(value, str) and _VARIABLE.search(value):
        return _expand(value, key, document) or None
    return value


def _line(node: yaml.Node) -> int:
    line: int = node.start_mark.line + 1
    return line


def _expand(text: str, key: Key, document: _Document) -> str:
    def value(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        # As in a shell, `:-` stands in for an empty variable too.
        if found := os.environ.get(name, "" if default is None else default) or default:
            return found
        if name not in os.environ and default is None:
            document.problems.append(
                document.problem(key, f"the environment variable {name} is not set")
            )
        return ""

    return _VARIABLE.sub(value, text)


def _personas_beside(file: Path, problems: list[str]) -> dict[str, Any]:
    try:
        return personas_in(file.parent / "personas")
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problems.append(f"{file.parent / 'personas'}: {' '.join(str(error).split())}")
        return {}


def _unknown_personas(config: Config) -> Iterator[tuple[Key, str]]:
    named: list[tuple[Key, str | None]] = [(("defaults", "persona"), config.defaults.persona)]
    for server_id, server in config.servers.items():
        named.append((("servers", server_id, "persona"), server.persona))
        for channel_id, channel in server.channels.items():
            in_channel = ("servers", server_id, "channels", channel_id, "persona")
            named.append((in_channel, channel.persona))
    for key, name in named:
        if name is not None and name not in config.personas:
            yield key, f"there is no persona {name!r}, {_hint(name, list(config.personas))}"


def _hint(found: str, known: Sequence[str]) -> str:
    nearest = get_close_matches(found, known, n=1)
    return f"did you mean {nearest[0]!r}?" if nearest else f"allowed: {', '.join(known)}"


def check_persona(name: str, prompt: str) -> None:
    """Raise ConfigError unless a persona made in chat keeps the file's rules."""
    try:
        TypeAdapter(dict[PersonaName, PersonaConfig]).validate_python({name: prompt})
    except ValidationError as error:
        raise ConfigError([_found(e, None) for e in error.errors(include_url=False)]) from None


def _problem(document: _Document, error: Any) -> str:
    key: Key = tuple(part for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        return document.problem(key, _unknown_key(key))
    return document.problem(key, _found(error, _annotation(key)))


def _found(error: Any, annotation: Any) -> str:
    found = "***" if annotation is SecretStr else repr(error["input"])
    if isinstance(error["input"], dict | list) or len(found) > 60:
        found = f"a {type(error['input']).__name__}"
    if isinstance(error["input"], str) and len(error["input"]) > 60:
        found = f"{len(error['input'])} characters"
    return f"found {found}, allowed: {_allowed(error)}"


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
    "string_pattern_mismatch": "a language code, such as en or pt-BR",
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
