"""docs/settings.md: every key of the configuration, from the schema and config/bot.yaml.

What a key allows and its default come from the schema, its description from the comment in the
file. A key that the file shows only as an example has its description in the schema.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc
from itertools import pairwise
from pathlib import Path
from typing import Any

import bot.config.schema
from bot.config.builtin import builtin_config_dir, builtin_variables
from bot.config.reloading import RESTART_SECTIONS
from bot.config.schema import Config

PAGE = Path(__file__).parents[1] / "settings.md"
HEAD = """\
# Every setting

<!-- Made by `make docs` from bot/config/schema/ and config/bot.yaml: change those. -->

All keys of `config/bot.yaml`, with what each allows and its default. `NAME` and `ID` stand for
names and ids of your own. If an environment variable sets a key too, it stands below the key. How
they work together is in [Configuration](configuration.md).
"""
NAMED = {"headers": "NAME", "env": "NAME", "mcp": "NAME", "personas": "NAME", "texts": "KEY"}
"""What the keys of a mapping are; elsewhere they are ids."""


@dataclass(frozen=True)
class Setting:
    key: str
    """Dotted, such as `inference.url`."""
    description: str
    allowed: str
    default: str
    variable: str


def settings() -> dict[str, list[Setting]]:
    """Section → its settings, in the file's order."""
    schema = _described(Config.model_json_schema())
    found: dict[str, list[Setting]] = {}
    for setting in _settings(schema, schema, "", Config().model_dump(mode="json")):
        found.setdefault(setting.key.partition(".")[0], []).append(setting)
    return found


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with the docstrings that stand below the keys in its source."""
    for section in _classes(Path(bot.config.schema.__file__).parent):
        found = schema if section.name == "Config" else schema["$defs"].get(section.name, {})
        for key, below in pairwise(section.body):
            match key, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found["properties"][name].setdefault("description", cleandoc(text))
    return schema


def _classes(folder: Path) -> Iterator[ast.ClassDef]:
    for file in sorted(folder.glob("*.py")):
        source = ast.parse(file.read_text(encoding="utf-8"))
        yield from (part for part in source.body if isinstance(part, ast.ClassDef))


def page() -> str:
    """The page as it should be."""
    lines = [HEAD]
    told = comments()
    for section, keys in settings().items():
        lines.append(f"## {section}\n")
        when = " Read at the start of the bot." if section in RESTART_SECTIONS else ""
        lines.append(f"{_sentence(told[section].replace(' (restart)', ''))}{when}\n")
        lines.append("| Key | What it is | Allowed |\n|---|---|---|")
        for setting in keys:
            variable = setting.variable and f"<br>`${setting.variable}`"
            default = setting.default and f"<br>default: `{setting.default}`"
            cells = (
                f"`{setting.key}`{variable}",
                _sentence(setting.description),
                f"{setting.allowed}{default}",
            )
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        lines.append("")
    return "\n".join(lines)


def comments() -> dict[str, str]:
    """Dotted key → the comment above it in config/bot.yaml, and the one behind it."""
    found: dict[str, str] = {}
    above: list[str] = []
    parents: list[tuple[int, str]] = []
    for line in (builtin_config_dir() / "bot.yaml").read_text(encoding="utf-8").splitlines():
        content = line.strip()
        if not content:
            above = []
        elif content.startswith("#"):
            above.append(content.lstrip("# "))
        else:
            indent = len(line) - len(content)
            name, _, rest = content.partition(":")
            parents = [*(p for p in parents if p[0] < indent), (indent, name)]
            behind = rest.partition(" # ")[2]
            found[".".join(n for _, n in parents)] = " ".join([*above, behind]).strip()
            above = []
    return found


def _settings(
    root: dict[str, Any], schema: dict[str, Any], path: str, defaults: Any = None
) -> Iterator[Setting]:
    """The settings below `path`; `defaults` are those of the section itself."""
    told = comments()
    variables = {".".join(k): re.findall(r"\{(\w+)", v)[0] for k, v in builtin_variables().items()}
    for name, given in schema["properties"].items():
        key, field = f"{path}{name}", _resolved(root, given)
        default = (defaults or {}).get(name, given.get("default"))
        inner = _resolved(root, field.get("additionalProperties") or {})
        if "properties" in field:
            yield from _settings(root, field, f"{key}.", default)
        elif "properties" in inner:
            yield from _settings(root, inner, f"{key}.{NAMED.get(name, 'ID')}.")
        else:
            yield Setting(
                key if field.get("type") != "object" else f"{key}.{NAMED.get(name, 'ID')}",
                told.get(key) or given.get("description", ""),
                _allowed(root, field),
                "" if field.get("format") == "path" else _shown(default),
                variables.get(key, ""),
            )


def _resolved(root: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema itself in place of a reference to it, or of a choice between it and nothing."""
    if options := [o for o in schema.get("anyOf", []) if o.get("type") != "null"]:
        schema = schema | options[0]
    if reference := schema.get("$ref"):
        target: dict[str, Any] = root["$defs"][reference.rpartition("/")[2]]
        return target
    return schema


def _allowed(root: dict[str, Any], field: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    kind = field.get("type", "string")
    if kind == "array":
        return f"a list of {'numbers' if field['items'].get('type') == 'integer' else 'texts'}"
    if kind == "boolean":
        return "`true`, `false`"
    if kind in ("integer", "number"):
        low = field.get("minimum", field.get("exclusiveMinimum"))
        above = "above " if "exclusiveMinimum" in field else ""
        if (high := field.get("maximum")) is not None:
            return f"{above}{low} to {high}"
        return f"above {low}" if above else f"{low} or more"
    if field.get("format") == "password":
        return "a secret"
    return "text"


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float):
        return f"{default:g}"
    return "" if default in (None, "", [], {}) else str(default)


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text.endswith((".", "…")) else f"{text}."
