"""From a YAML file to plain data, remembering the line of every key."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from bot.config.environment import find_variable
from bot.config.errors import ConfigError

Key = tuple[str | int, ...]
"""A key with those above it: `("inference", "slots")`."""

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


MOST_BYTES = 1_000_000
"""Of a file."""
MOST_VALUES = 20_000
"""Of keys and values in a file, those that aliases repeat included."""
MOST_CHARACTERS = 16_384
"""Of a key or value; twice what a prompt may have."""
MOST_DIGITS = 64
"""Of a number: reading a longer one takes the square of its length."""


@dataclass
class YamlReader:
    """Reads YAML files; remembers where each key was, and the problems so far."""

    file: Path
    places: dict[Key, str] = field(default_factory=dict)
    """`file:line` of each key."""
    origins: dict[Key, str] = field(default_factory=dict)
    """From where the value of a key with `${VAR}` came."""
    problems: list[str] = field(default_factory=list)

    def add_problem(self, key: Key, text: str) -> None:
        known = (key[:n] for n in range(len(key), 0, -1) if key[:n] in self.places)
        place = self.places[next(known, ())]
        self.problems.append(f"{place}: {'.'.join(map(str, key))}: {text}")

    def read(self, file: Path, key: Key = ()) -> Any:
        """What `file` says at `key` of the configuration. Raises ConfigError if it isn't YAML."""
        self.places[key] = f"{file}:1"
        try:
            root = (loader := _Loader(_text(file))).get_single_node()
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
        return self.expand(value, key) or None if has_variable(value) else value

    def expand(self, text: str, key: Key) -> str:
        """`text` with the variables' values, as what the configuration says at `key`."""

        def value(match: re.Match[str]) -> str:
            name, default = match["name"], match["default"]
            try:
                variable = find_variable(name)
            except ConfigError as error:
                self.add_problem(key, error.problems[0])
                return ""
            if variable is None:
                if default is None and name not in os.environ:
                    self.add_problem(key, f"the environment variable {name} is not set")
                return default or ""
            self.origins[key] = variable.origin
            return variable.value

        return _VARIABLE.sub(value, text)


class _Loader(yaml.SafeLoader):
    """PyYAML's, with errors for what it lets through or raises other exceptions about."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._values = 0
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node:
        """Count each alias as all that it repeats, before anything is repeated.

        A few lines of aliases of aliases can stand for more than a machine holds; so can merges.
        """
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        is_alias, mark = isinstance(event, yaml.AliasEvent), event.start_mark
        node: Any = super().compose_node(parent, index)
        if node not in self._sizes:
            if is_alias:
                problem = "an alias stands in what it repeats"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
            self._values += 1
            self._sizes[node] = 1 + sum(self._sizes[child] for child in _children(node))
        if max(self._values, self._sizes[node]) > MOST_VALUES:
            problem = f"more than {MOST_VALUES} values, with what aliases repeat"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
        return cast(yaml.Node, node)

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        node: Any = super().compose_scalar_node(anchor)
        if len(node.value) > MOST_CHARACTERS:
            problem = f"a value of more than {MOST_CHARACTERS} characters"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return cast(yaml.ScalarNode, node)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="a key must be text", problem_mark=key.start_mark
                )
            if key.value in lines:
                problem = f"the key {key.value!r} is given twice, first in line {lines[key.value]}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            lines[key.value] = key.start_mark.line + 1
        return node

    def scalar(self, node: yaml.Node) -> Any:
        try:
            if node.tag.endswith((":int", ":float")) and len(node.value) > MOST_DIGITS:
                raise ValueError
            return self.construct_object(node)
        except (ValueError, LookupError, AttributeError) as error:
            # Such as the date 2024-13-45, or `!!bool maybe`. The value itself may be a secret.
            problem = f"a value isn't a valid {node.tag.rpartition(':')[2]}"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from error


def _text(file: Path) -> str:
    """Raises OSError, UnicodeDecodeError, yaml.YAMLError."""
    with file.open("rb") as opened:
        data = opened.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise yaml.YAMLError(f"more than {MOST_BYTES} bytes")
    return data.decode()


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def has_variable(value: Any) -> bool:
    """Whether it is a text with `${VAR}`."""
    return isinstance(value, str) and _VARIABLE.search(value) is not None
