"""What left: to which hosts, by which tools, and how many bytes."""

from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_HOSTS = 200
"""That are kept apart in one receipt."""
OTHERS = "…"


@dataclass
class Sent:
    """What one host was sent."""

    tools: set[str] = field(default_factory=set)
    bytes: int = 0


class Receipt:
    """Of one answer, or of all that a server asked since the bot started."""

    def __init__(self) -> None:
        self._hosts: dict[str, Sent] = {}

    def add(self, host: str, tool: str, count: int) -> None:
        """`count` bytes went to `host`."""
        if host not in self._hosts and len(self._hosts) >= MOST_HOSTS:
            host = OTHERS
        sent = self._hosts.setdefault(host, Sent())
        sent.tools.add(tool)
        sent.bytes += count

    def __iter__(self) -> Iterator[tuple[str, Sent]]:
        """Hosts and what they were sent, the most first."""
        return iter(sorted(self._hosts.items(), key=lambda entry: -entry[1].bytes))

    def __bool__(self) -> bool:
        return bool(self._hosts)
