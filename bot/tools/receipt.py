"""Receipts of what was sent: to which hosts, by which tools, and how many bytes."""

from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_HOSTS = 200
"""That are kept apart in one receipt."""
OTHERS = "…"


@dataclass
class HostTraffic:
    """What one host was sent."""

    tools: set[str] = field(default_factory=set)
    bytes: int = 0


class Receipt:
    """What was sent for one answer, or for all of a server's answers since the bot started."""

    def __init__(self) -> None:
        self._hosts: dict[str, HostTraffic] = {}

    def add(self, host: str, tool: str, count: int) -> None:
        """`count` bytes went to `host`."""
        if host not in self._hosts and len(self._hosts) >= MOST_HOSTS:
            host = OTHERS
        sent = self._hosts.setdefault(host, HostTraffic())
        sent.tools.add(tool)
        sent.bytes += count

    def __iter__(self) -> Iterator[tuple[str, HostTraffic]]:
        """Hosts and what they were sent, the most first."""
        return iter(sorted(self._hosts.items(), key=lambda entry: -entry[1].bytes))

    def __bool__(self) -> bool:
        return bool(self._hosts)
