"""JSON schemas that models are held to, as llguidance knows them.

https://github.com/guidance-ai/llguidance/blob/main/docs/json_schema.md
"""

import json
from functools import lru_cache
from typing import Any

from bot.inference.grammar.grammar import GrammarError

ANY_OBJECT: dict[str, Any] = {"type": "object"}
MAX_SCHEMA_CHARACTERS = 2**16
"""A longer one may take seconds to compile."""

_CLOSED_BY = ("additionalProperties", "patternProperties", "unevaluatedProperties", "allOf", "$ref")


def rule(schema: dict[str, Any], *, lenient: bool = False) -> str:
    """A Lark expression for JSON that keeps to `schema`; `lenient` leaves out what isn't known.

    No white space between values: a model could go on with it for ever.
    """
    options: dict[str, Any] = {"whitespace_flexible": False}
    if lenient:
        options["lenient"] = True
    return f"%json {json.dumps(schema | {'x-guidance': options})}"


def check(schema: dict[str, Any], *, lenient: bool = False) -> None:
    """Raise GrammarError where JSON can't be held to `schema`."""
    text = rule(schema, lenient=lenient)
    if len(text) > MAX_SCHEMA_CHARACTERS:
        raise GrammarError(f"it is longer than {MAX_SCHEMA_CHARACTERS} characters")
    if problem := _problem(text):
        raise GrammarError(problem)


@lru_cache(256)
def _problem(text: str) -> str:
    from llguidance import LLMatcher

    failed, messages = LLMatcher.validate_grammar_with_warnings(
        LLMatcher.grammar_from_lark(f"start: {text}")
    )
    return str(messages[0]).partition("\n")[0] if failed else ""


def arguments_rule(parameters: dict[str, Any] | None, *, strict: bool) -> str:
    """The rule of a function's arguments: an object of the properties that `parameters` name.

    What a schema asks beyond what can be kept is left out, unless it is `strict`: then, and where
    it describes no object, raises GrammarError.
    """
    schema = _closed(parameters or {"properties": {}})
    if schema.setdefault("type", "object") not in ("object", ["object"]):
        raise GrammarError("arguments are a JSON object, and it describes something else")
    try:
        check(schema)
    except GrammarError:
        if strict:
            raise
    else:
        return rule(schema)
    try:
        check(schema, lenient=True)
    except GrammarError:
        return rule(ANY_OBJECT)
    return rule(schema, lenient=True)


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` whose objects have no other properties than those named, where it doesn't say."""
    closed = {key: _closed_below(key, value) for key, value in schema.items()}
    if "properties" in schema and not any(key in schema for key in _CLOSED_BY):
        closed["additionalProperties"] = False
    return closed


def _closed_below(key: str, value: Any) -> Any:
    match key, value:
        case "properties", dict():
            return {name: _closed_below("items", one) for name, one in value.items()}
        case "items", dict():
            return _closed(value)
        case "anyOf", list():
            return [_closed_below("items", one) for one in value]
        case _:
            return value
