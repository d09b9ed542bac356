"""Where a conversation begins that is too long to be read whole."""

from collections.abc import Callable, Sequence
from typing import TypeVar

AMessage = TypeVar("AMessage")

EVERY = 8
"""One message in so many is a border."""


def from_border(messages: Sequence[AMessage], number: Callable[[AMessage], int]) -> list[AMessage]:
    """The messages from the first border on.

    A message is one by its own number, so that the conversation begins there in the next turns too.
    """
    borders = (at for at, message in enumerate(messages) if number(message) % EVERY == 0)
    return list(messages[next(borders, 0) :])
