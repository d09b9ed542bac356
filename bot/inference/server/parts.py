"""What requests are made of: text, JSON objects, and objects with fields."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

MISSING = PydanticCustomError("missing", "Field required")


def _no_lone_surrogate(text: str) -> str:
    """Refuse half of a UTF-16 pair: JSON can spell it, but it isn't a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("has half a character (a lone surrogate)") from None
    return text


def _all_text(value: dict[str, Any]) -> dict[str, Any]:
    try:
        written = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    _no_lone_surrogate(written)
    return value


Text = Annotated[str, AfterValidator(_no_lone_surrogate)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_all_text)]


class Part(BaseModel):
    """A part of a request, of which unknown fields are ignored."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Request(Part):
    """A request, of which unknown fields are refused: one may be meant to change the answer."""

    model_config = ConfigDict(extra="forbid")


def joined_texts(content: Any, *, types: Sequence[str], allowed: str) -> Any:
    """Content as a list of `{"type": "text", "text": …}` is the texts one after the other.

    types: what a part with text may have as its type.
    """
    if not isinstance(content, list):
        return content
    texts = [part["text"] for part in content if _has_text(part, types)]
    if len(texts) < len(content):
        raise ValueError(f"only text is understood: {allowed}")
    return "".join(texts)


def texts_schema(types: Sequence[str]) -> dict[str, Any]:
    """The JSON schema of what `joined_texts` takes."""
    part = {
        "type": "object",
        "properties": {"type": {"enum": [*types]}, "text": {"type": "string"}},
        "required": ["type", "text"],
    }
    return {"anyOf": [{"type": "string"}, {"type": "array", "items": part}]}


def _has_text(part: Any, types: Sequence[str]) -> bool:
    return (
        isinstance(part, dict) and part.get("type") in types and isinstance(part.get("text"), str)
    )
