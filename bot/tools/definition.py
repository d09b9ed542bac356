"""A tool, as it is offered to a model and run."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Arguments = Mapping[str, Any]


class ToolError(Exception):
    """A call that failed; the message is for the model, which may call again.

    It quotes nobody: what a host says about a failure is a ToolResult, which may give orders.
    """


@dataclass(frozen=True)
class ToolResult:
    """The result of a call.

    text: for the model.
    shown: the same in a few words, for the person.
    failed: whether it is an error in the tool's own words.
    """

    text: str
    shown: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Tool:
    """`parameters` is the JSON schema of the arguments that `run` takes.

    about: what a call is about, for the person.
    server: the MCP server that has it; "" for the bot's own.
    reads_outside: whether what it gives was written by others, who may give orders in it.
    sends_words: whether words of the model's leave with a call.
    writes: whether it changes something.
    approve: which calls the person has to allow even where nothing else asks for it.
    addresses: those that a call would reach or hand on.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    run: Callable[[Arguments], Awaitable[ToolResult]]
    about: Callable[[Arguments], str] = lambda arguments: ""
    server: str = ""
    reads_outside: bool = False
    sends_words: bool = False
    writes: bool = False
    approve: Literal["always", "writes", "never"] = "never"
    addresses: Callable[[Arguments], Sequence[str]] = lambda arguments: ()

    @property
    def definition(self) -> dict[str, Any]:
        """OpenAI's form of it."""
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }
        return {"type": "function", "function": function}

    def check(self, arguments: Arguments) -> None:
        """Raise ToolError where the arguments don't keep to the schema."""
        # Only here: they are a twentieth of what the bot imports at its start.
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError, best_match
        from referencing import Registry
        from referencing.exceptions import Unresolvable

        # With a registry of its own, a `$ref` to another host is never fetched.
        validator = Draft202012Validator(self.parameters, registry=Registry())
        try:
            error = best_match(validator.iter_errors(arguments))
        except (SchemaError, Unresolvable, TypeError, ValueError):  # a server's, to be judged there
            return
        if error is not None:
            where = ".".join(map(str, error.absolute_path)) or "the arguments"
            raise ToolError(f"{where}: {error.message}")


def parsed(arguments: str) -> dict[str, Any]:
    """The arguments that a model wrote. Raises ToolError where they are no JSON object."""
    try:
        found = json.loads(arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise ToolError(f"the arguments are not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ToolError("the arguments are not a JSON object")
    return found
