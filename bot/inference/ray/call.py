"""What the front and the replicas say to each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import Message


@dataclass(frozen=True)
class BufferedRequest:
    """A request whose body has come. `avoid` are replicas that have refused it."""

    method: str
    path: str
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    key: str
    avoid: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ResponsePart:
    """A part of the response of `replica`.

    begun: whether the client has seen something of the answer with it, beyond its place in the
    queue; what has not begun can be asked of another replica.
    """

    replica: str
    messages: Sequence[Message] = ()
    begun: bool = False
