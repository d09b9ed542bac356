"""What the model wrote, by the messages that show it."""

from collections import OrderedDict
from collections.abc import Sequence

REMEMBERED = 4000
"""Messages whose text is kept in memory; an older one is read as it is shown."""


class WrittenAnswers:
    """Answers as the model wrote them, where messages show them split and rewritten.

    The next prompt then has the very text that the model's cache holds.
    """

    def __init__(self) -> None:
        self._texts: OrderedDict[str, str] = OrderedDict()

    def put(self, messages: Sequence[str], text: str) -> None:
        """An answer shown by these messages, by their ids in order."""
        for at, message in enumerate(messages):
            self._texts[message] = "" if at else text
            self._texts.move_to_end(message)
        while len(self._texts) > REMEMBERED:
            self._texts.popitem(last=False)

    def get(self, message: str) -> str | None:
        """The whole answer for its first message, "" for the others; None if it is unknown."""
        return self._texts.get(message)
