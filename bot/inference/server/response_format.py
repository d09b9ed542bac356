"""The form that an answer must have: JSON that keeps to a schema, any JSON object, or free text."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from bot.inference.grammar.json_schema import ANY_OBJECT
from bot.inference.server.parts import MISSING, JsonObject, Request, Text

T = TypeVar("T")


def with_its_type(schema: T | None, info: ValidationInfo) -> T | None:
    """The schema of a form that has one by its type, and None of one that has none."""
    kept = info.data.get("type") == "json_schema"
    if schema is None and kept:
        raise MISSING
    if schema is not None and not kept and "type" in info.data:
        raise ValueError("goes with the type json_schema only")
    return schema


class NamedSchema(Request):
    name: Annotated[Text, StringConstraints(max_length=64)]
    description: Text | None = None
    schema_: Annotated[JsonObject, Field(alias="schema", default_factory=dict)]
    strict: bool | None = None


class ResponseFormat(Request):
    """The answer's form: JSON that keeps to a schema, any JSON object, or free text."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: Annotated[NamedSchema | None, Field(validate_default=True)] = None

    @field_validator("json_schema")
    @classmethod
    def _goes_with_its_type(
        cls, schema: NamedSchema | None, info: ValidationInfo
    ) -> NamedSchema | None:
        return with_its_type(schema, info)

    @property
    def schema_to_keep(self) -> dict[str, Any] | None:
        """What the answer must keep to; None for text."""
        if self.type == "json_schema" and self.json_schema:
            return self.json_schema.schema_
        return ANY_OBJECT if self.type == "json_object" else None
