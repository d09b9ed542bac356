"""What requests are made of: text, JSON objects, and objects with fields."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict


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
