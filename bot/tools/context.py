"""The context of a tool call: who asks, where, and what they could see. Its rights depend on it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.config import McpConfig


@dataclass(frozen=True)
class MessageHit:
    """A message that the platform's own search found."""

    author: str
    where: str
    text: str
    link: str


SearchHere = Callable[[str, int], Awaitable[Sequence[MessageHit]]]
"""Asks the platform with the asker's rights: the query, and how many are wanted.

Raises ToolError.
"""


@dataclass(frozen=True)
class ToolContext:
    """Who asks where, for one question.

    channels: the channel with the thread and the category that it is in.
    texts: what the asker could see before the answer began.
    tainted: whether others' words are among them.
    search: the platform's search; None where there is none.
    """

    platform: str
    server: str
    channels: frozenset[str]
    roles: frozenset[str]
    time_zone: str = ""
    texts: Sequence[str] = ()
    tainted: bool = False
    search: SearchHere | None = None

    def may_use(self, config: McpConfig) -> bool:
        """Whether the asker may use the tools of an MCP server here."""
        return (
            (not config.servers or self.server in config.servers)
            and (not config.channels or bool(self.channels & config.channels))
            and (not config.roles or bool(self.roles & config.roles))
        )
