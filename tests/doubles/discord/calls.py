"""One REST call and how it is answered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.doubles.discord.payloads import Payload
from tests.doubles.discord.state import Attachment


@dataclass
class Call:
    """A call; `parameters` are those of its `route`, such as "GET /channels/{channel}"."""

    method: str
    path: str
    route: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    at: float
    """When it came, by the monotonic clock."""
    body: Any = None
    files: list[Attachment] = field(default_factory=list)
    status: int = 0
    """How it was answered; 0 while it is not."""
    scope: str = ""
    """Of a 429: user, global or shared."""
    scripted: bool = False
    """Whether a fault was injected."""


Answer = Payload | list[Payload] | None
"""Sent as JSON; None is 204."""
Handler = Callable[[Call], Answer]
