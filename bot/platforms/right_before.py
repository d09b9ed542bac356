"""What the asker said right before the question: code in one message, the mention in the next."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

AMessage = TypeVar("AMessage")

OWN_MESSAGES = 5
"""Of the asker, right before the question, at most."""
BACK_TO_BACK = timedelta(minutes=5)
"""The longest pause between them."""


def right_before(
    said_at: datetime,
    earlier: Iterable[AMessage],
    is_own: Callable[[AMessage], bool],
    time_of: Callable[[AMessage], datetime],
) -> list[AMessage]:
    """The asker's own with nobody in between, oldest first; `earlier` comes newest first."""
    own: list[AMessage] = []
    later = said_at
    for message in earlier:
        at = time_of(message)
        if len(own) == OWN_MESSAGES or not is_own(message) or later - at > BACK_TO_BACK:
            break
        own.insert(0, message)
        later = at
    return own
