"""An MCP server's tools as models get them, and whether each is allowed and unchanged."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from bot.tools.context import ToolContext
from bot.tools.definition import Arguments, Tool, ToolError, ToolResult
from bot.tools.mcp.server import McpServer
from bot.tools.taint import addresses_in

if TYPE_CHECKING:
    from mcp.types import Tool as RawTool

NAME_LENGTH = 64
"""OpenAI's limit."""
DESCRIPTION_LENGTH = 2000


class ToolStatus(StrEnum):
    """Whether a tool may be used."""

    ALLOWED = "allowed"
    NOT_ALLOWED = "not_allowed"
    """The configuration doesn't name it."""
    CHANGED = "changed"
    """Its definition is no longer the one that was allowed."""


@dataclass(frozen=True)
class McpTool:
    """One tool of a server. `name` is what models call it."""

    name: str
    server: McpServer
    raw: "RawTool"

    @property
    def digest(self) -> str:
        """Of all that the server says of it."""
        whole = self.raw.model_dump(mode="json", by_alias=True, exclude_none=True)
        text = json.dumps(whole, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def writes(self) -> bool:
        """Unless the server says that it only reads; the operator allowed a tool that says so."""
        hints = self.raw.annotations
        return not (hints is not None and hints.read_only_hint)

    def tool(self, context: ToolContext, note: Callable[[str, str, int], None]) -> Tool:
        """The tool for one answer; `note` is told of what leaves: the tool, the host, the bytes."""
        config, digest = self.server.config, self.digest

        async def run(arguments: Arguments) -> ToolResult:
            if self.server.problem:
                raise ToolError(f"the server {self.server.name} can't be reached")
            now = next(
                (one for one in tools_of(self.server) if one.raw.name == self.raw.name), None
            )
            if now is None or now.digest != digest:
                raise ToolError("the tool has changed, it has to be allowed again")
            if self.raw.name not in config.allow or not context.may_use(config):
                raise ToolError("this tool may not be used here")
            sent = json.dumps({"name": self.raw.name, "arguments": arguments}, ensure_ascii=False)
            note(self.name, self.server.host, len(sent.encode()))
            return await self.server.call(self.raw.name, arguments)

        return Tool(
            self.name,
            (self.raw.description or self.raw.title or self.raw.name)[:DESCRIPTION_LENGTH],
            self.raw.input_schema or {"type": "object", "properties": {}},
            run,
            about=lambda arguments: ", ".join(f"{k}: {v}" for k, v in arguments.items()),
            server=self.server.name,
            reads_outside=True,
            # A program of the operator's own machine is not "out"; what it sends is its own affair.
            sends_words=bool(config.url) and config.approve != "never",
            writes=self.writes,
            approve=config.approve,
            addresses=lambda arguments: sorted(addresses_in(" ".join(_texts(arguments)))),
        )


def tools_of(server: McpServer) -> list[McpTool]:
    """All that the server has, allowed or not; no two have the same name."""
    found: dict[str, McpTool] = {}
    for raw in server.tools:
        name = _name(server.name, raw.name)
        if name in found:
            name = _hashed(server.name, raw.name)
        found[name] = McpTool(name, server, raw)
    return list(found.values())


def _name(server: str, tool: str) -> str:
    """`server__tool`, in the characters and the length that OpenAI allows."""
    name = f"{server}__{re.sub(r'[^a-zA-Z0-9_-]', '_', tool)}"
    return name if len(name) <= NAME_LENGTH else _hashed(server, tool)


def _hashed(server: str, tool: str) -> str:
    suffix = hashlib.sha256(tool.encode()).hexdigest()[:8]
    name = f"{server}__{re.sub(r'[^a-zA-Z0-9_-]', '_', tool)}"
    return f"{name[: NAME_LENGTH - 9]}_{suffix}"


def _texts(value: Any) -> Iterator[str]:
    """All texts in a call's arguments."""
    match value:
        case str():
            yield value
        case dict():
            for key, inner in value.items():
                yield str(key)
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
