"""Refusals in OpenAI's form: https://platform.openai.com/docs/guides/error-codes."""

import json
import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails


class ErrorObject(BaseModel):
    """`message` is one line for a person, `param` the field at fault, `code` for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of every HTTP error, and of an event that ends a stream early."""

    error: ErrorObject


class ApiError(Exception):
    """A request that is refused with the HTTP status `status`. `retry_after` is in seconds."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """An ErrorBody as JSON."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        if self.status == 429:
            kind = "rate_limit_error"
        error = ErrorObject(message=self.message, type=kind, param=self.param, code=self.code)
        return ErrorBody(error=error).model_dump()


_JSON_TYPES: dict[type, str] = {dict: "an object", list: "a list", str: "a string"}
_IN_JSON = {"None": "null", "True": "true", "False": "false", "Dictionary": "it", "List": "it"}
"""Words of Python's that pydantic's messages have, in JSON's."""


def _is_a_name(part: int | str) -> bool:
    """Of a field or an element: not of one of several types that a field may have."""
    return isinstance(part, int) or bool(re.fullmatch(r"[a-z_$][\w$-]*", part))


def _most_telling(errors: Sequence[ErrorDetails]) -> ErrorDetails:
    """The first; of a field that may have one of several types, what the nearest of them lacks."""

    def field(error: ErrorDetails) -> list[int | str]:
        return list(takewhile(_is_a_name, error["loc"]))

    def nearness(error: ErrorDetails) -> tuple[int, bool]:
        inside = len(error["loc"]) > len(first) + 1
        other_type = error["type"].endswith(("_type", "literal_error"))
        return len(error["loc"]), inside or not other_type

    first = field(errors[0])
    if len(first) == len(errors[0]["loc"]):
        return errors[0]
    return max((one for one in errors if field(one) == first), key=nearness)


def validation_error(errors: Sequence[ErrorDetails]) -> ApiError:
    """The first of pydantic's errors as a refusal that names the field and quotes no text."""
    if errors[0]["type"] == "json_invalid":
        return ApiError(400, "The body is not valid JSON.", code="invalid_json")
    error = _most_telling(errors)
    path = [part for part in error["loc"] if part != "body" and _is_a_name(part)]
    param = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)[1:]
    if error["type"] == "extra_forbidden" and not _is_a_name(error["loc"][-1]):
        where = f"'{param}'" if param else "the body"
        return ApiError(
            400, f"A field of {where} is not supported here.", code="unsupported_parameter"
        )
    if not param:
        return ApiError(400, "The body must be a JSON object sent as application/json.")
    if error["type"] == "missing":
        return ApiError(
            400, f"'{param}' is missing.", param=param, code="missing_required_parameter"
        )
    if error["type"] == "extra_forbidden":
        return ApiError(
            400, f"'{param}' is not supported here.", param=param, code="unsupported_parameter"
        )
    found = error["input"]
    shown = _JSON_TYPES.get(type(found)) or json.dumps(found)
    problem = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    problem = re.sub(r"\b\w+\b", lambda word: _IN_JSON.get(word[0], word[0]), problem)
    problem = problem.replace(" after validation", "").replace(", not more", "")
    problem = re.sub(r"a valid dictionary.*", "an object", problem)
    return ApiError(400, f"Invalid value for '{param}': {problem}; found {shown}.", param=param)
