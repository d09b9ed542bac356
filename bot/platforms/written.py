"""The text of answers as the model wrote it, and a mark under those made from others' words."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from bot.conversation.reply import Reply

REMEMBERED = 4000
"""Messages whose text is kept in memory; an older one is read as it is shown."""
FOREIGN = "\u2064"
"""Begins the bot's own lines under an answer that is made from what others wrote; invisible."""


class WrittenAnswer(NamedTuple):
    """What a message shows; `foreign`: see Reply."""

    text: str
    foreign: bool


class WrittenAnswers:
    """Answers as the model wrote them, where messages show them split and rewritten.

    The next prompt then has the very text that the model's cache holds.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, WrittenAnswer] = OrderedDict()

    def put(self, messages: Sequence[str], written: WrittenAnswer) -> None:
        """An answer shown by these messages, by their ids in order."""
        for at, message in enumerate(messages):
            self._known[message] = written._replace(text="") if at else written
            self._known.move_to_end(message)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def get(self, message: str) -> WrittenAnswer | None:
        """The whole answer for its first message, "" for the others; None if it is unknown."""
        return self._known.get(message)


def written(reply: Reply) -> WrittenAnswer:
    return WrittenAnswer(reply.text.strip(), reply.foreign)


def marked(lines: Sequence[str], reply: Reply) -> list[str]:
    """The bot's own lines so that a later run can tell what the answer above was made from."""
    return [FOREIGN + line if line and reply.foreign else line for line in lines]


def may_be_foreign(own_lines: Sequence[str]) -> bool:
    """Whether the lines are under an answer from others' words; without any, nobody knows."""
    return not own_lines or any(line.startswith(FOREIGN) for line in own_lines)
