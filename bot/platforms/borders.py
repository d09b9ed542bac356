"""Where a conversation begins that is too long to be read whole."""

from collections.abc import Callable, Sequence
from typing import TypeVar

AMessage = TypeVar("AMessage")

EVERY = 8
"""One message in so many is a border."""
FEW = 4 * EVERY
"""Fewer messages than these are worth more than a beginning that stays."""


def from_border(messages: Sequence[AMessage], number: Callable[[AMessage], int]) -> list[AMessage]:
    """The messages from the first border on, which is in their first half.

    A message is one by its own number, so that the conversation begins there in the next turns too.
    """
    if len(messages) < FEW:
        return list(messages)
    first_half = enumerate(messages[: len(messages) // 2])
    borders = (at for at, message in first_half if number(message) % EVERY == 0)
    return list(messages[next(borders, 0) :])
