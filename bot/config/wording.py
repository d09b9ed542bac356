"""What the schema says about a value, in words for people who don't know Python."""

import types
import typing
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr

from bot.config.schema import Config
from bot.config.yaml_reader import Key
from bot.one_line import without_password


def described(error: Any) -> tuple[Key, str]:
    """The key that one of pydantic's errors is about, and the problem in plain words."""
    key: Key = tuple(part for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        return key, _unknown_key(key)
    if error["type"] == "missing":
        return key, "is missing"
    found = repr(key[-1]) if "[key]" in error["loc"] else _found(key, error["input"])
    return key, f"found {found}, allowed: {_allowed(error)}"


def hint(found: str, known: Sequence[str]) -> str:
    """The name that was meant, or all that there are."""
    nearest = get_close_matches(found, known, n=1)
    return f"did you mean {nearest[0]!r}?" if nearest else f"allowed: {', '.join(known)}"


def kind_of(value: Any) -> str:
    """What sort of thing stands where another should."""
    for kind, name in ((dict, "keys with values"), (list, "a list"), (str, "a text")):
        if isinstance(value, kind):
            return name
    return repr(value)


def _found(key: Key, value: Any) -> str:
    annotation = _annotation(key)
    if annotation is SecretStr:
        return "***"
    if not isinstance(value, str) or _is_model(annotation) or get_origin(annotation) is dict:
        return kind_of(value)  # never the text where keys should be: it may be a token
    if len(value) > 60:
        return f"{len(value)} characters"
    return without_password(repr(value))


def _unknown_key(key: Key) -> str:
    model = _annotation(key[:-1])
    known = list(model.model_fields) if _is_model(model) else []
    return f"unknown key, {hint(str(key[-1]), known)}"


_ALLOWED: dict[str, str | Callable[[dict[str, Any]], str]] = {
    "enum": lambda ctx: str(ctx["expected"]),
    "literal_error": lambda ctx: str(ctx["expected"]),
    "greater_than_equal": lambda ctx: f"at least {ctx['ge']:g}",
    "greater_than": lambda ctx: f"more than {ctx['gt']:g}",
    "less_than_equal": lambda ctx: f"at most {ctx['le']:g}",
    "string_too_long": lambda ctx: f"at most {ctx['max_length']} characters",
    "string_too_short": "a text that is not empty",
    "value_error": lambda ctx: str(ctx["error"]).removeprefix("allowed: "),
}
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
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
