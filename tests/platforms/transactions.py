"""Counting the transactions of a bot that runs in the test's own process."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

MOST_OF_A_MENTION = 4
"""The question is taken, what is in effect is read, and its use is counted at both ends."""


@contextmanager
def counted_transactions() -> Iterator[list[str]]:
    """The databases of the transactions that begin inside, one for each."""
    begun: list[str] = []

    def begin(connection: Connection) -> None:
        begun.append(str(connection.engine.url))

    event.listen(Engine, "begin", begin)
    try:
        yield begun
    finally:
        event.remove(Engine, "begin", begin)
