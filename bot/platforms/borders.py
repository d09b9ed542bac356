"""Where to begin a conversation that is too long to be read whole."""

from collections.abc import Callable, Sequence
from typing import TypeVar

AMessage = TypeVar("AMessage")

EVERY = 8
"""One message in so many is a border."""
FEW = 4 * EVERY
"""Fewer messages than these are worth more than a beginning that stays."""


def from_border(messages: Sequence[AMessage], number: Callable[[AMessage], int]) -> list[AMessage]:
    """The messages from the first border in their first half on.

    Whether a message is a border depends only on its own number, so that the conversation begins at
    the same message in the next turns.
    """
    if len(messages) < FEW:
        return list(messages)
    first_half = enumerate(messages[: len(messages) // 2])
    borders = (at for at, message in first_half if number(message) % EVERY == 0)
    return list(messages[next(borders, 0) :])
