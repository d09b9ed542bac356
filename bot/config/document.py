"""From a YAML file to plain data, remembering the line of every key."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Key = tuple[str | int, ...]
"""A key with those above it: `("inference", "slots")`."""

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


class ConfigError(Exception):
    """The configuration can't be used. Each of `problems` is one line that says why."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = [_one_line(problem) for problem in problems]
        super().__init__("\n".join(self.problems))


@dataclass
class Document:
    """Where each key was read, and what was wrong so far."""

    file: Path
    places: dict[Key, str] = field(default_factory=dict)
    """`file:line` of each key."""
    problems: list[str] = field(default_factory=list)

    def add_problem(self, key: Key, text: str) -> None:
        known = (key[:n] for n in range(len(key), 0, -1) if key[:n] in self.places)
        place = self.places[next(known, ())]
        self.problems.append(f"{place}: {'.'.join(map(str, key))}: {text}")

    def read(self, file: Path, key: Key = ()) -> Any:
        """What `file` says at `key` of the configuration. Raises ConfigError if it is no YAML."""
        self.places[key] = f"{file}:1"
        try:
            loader = _Loader(file.read_text(encoding="utf-8"))
            root = loader.get_single_node()
            return {} if root is None else self._construct(loader, root, key, file)
        except OSError as error:
            raise ConfigError([f"{file}: can't be read: {error.strerror}"]) from error
        except UnicodeDecodeError as error:
            raise ConfigError([f"{file}: is not UTF-8 text (byte {error.start})"]) from error
        except RecursionError as error:
            raise ConfigError([f"{file}: not valid YAML: nested too deeply"]) from error
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            reason = ", ".join(filter(None, (error.context, error.problem)))
            raise ConfigError([f"{file}:{line}: not valid YAML: {reason}"]) from error
        except yaml.YAMLError as error:
            reason = str(error).partition("\n")[0]
            raise ConfigError([f"{file}: not valid YAML: {reason}"]) from error

    def _construct(self, loader: "_Loader", node: yaml.Node, key: Key, file: Path) -> Any:
        """The node's value, `${VAR}` in texts replaced. What is left empty counts as absent."""
        if isinstance(node, yaml.MappingNode):
            loader.flatten_mapping(node)
            mapping: dict[str, Any] = {}
            for name_node, value_node in node.value:
                # As it is written: YAML would read 0123 as 83, and `on` as true.
                child = (*key, name_node.value)
                self.places[child] = f"{file}:{name_node.start_mark.line + 1}"
                mapping[name_node.value] = self._construct(loader, value_node, child, file)
            return {name: value for name, value in mapping.items() if value is not None}
        if isinstance(node, yaml.SequenceNode):
            return [self._construct(loader, item, key, file) for item in node.value]
        value = loader.scalar(node)
        return self._expand(value, key) or None if _has_variable(value) else value

    def _expand(self, text: str, key: Key) -> str:
        def value(match: re.Match[str]) -> str:
            name, default = match["name"], match["default"]
            if default is None and name not in os.environ:
                self.add_problem(key, f"the environment variable {name} is not set")
            return os.environ.get(name) or default or ""  # an empty one counts as missing, as in sh

        return _VARIABLE.sub(value, text)


class _Loader(yaml.SafeLoader):
    """PyYAML's, with errors for what it lets through or raises other exceptions about."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is no text", problem_mark=key.start_mark)
            if key.value in lines:
                problem = f"the key {key.value!r} is given twice, first in line {lines[key.value]}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            lines[key.value] = key.start_mark.line + 1
        return node

    def scalar(self, node: yaml.Node) -> Any:
        try:
            return self.construct_object(node)
        except (ValueError, LookupError, AttributeError) as error:
            # Such as the date 2024-13-45, or `!!bool maybe`. The value itself may be a secret.
            problem = f"a value is no {node.tag.rpartition(':')[2]}"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from error


def _has_variable(value: Any) -> bool:
    return isinstance(value, str) and _VARIABLE.search(value) is not None


def _one_line(text: str) -> str:
    """With line breaks and the like, which a key may have, written as escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
