"""Copies of what people write, as PluralKit makes them: a webhook posts one, the original goes.

https://pluralkit.me/guide/#proxying
"""

from __future__ import annotations  # some of discord.py's types exist only for checkers

from collections import OrderedDict, deque
from datetime import timedelta

import discord

WITHIN = timedelta(seconds=15)
"""A copy comes a second or so after its original."""
REMEMBERED = 2000


class Copies:
    """Remembers what was just asked, so that its copy is asked in its place, by the same person."""

    def __init__(self) -> None:
        self._asked: deque[discord.Message] = deque(maxlen=200)
        self._askers: OrderedDict[int, discord.abc.User] = OrderedDict()

    def asked(self, question: discord.Message) -> None:
        """A person wrote a message to the bot."""
        if not question.author.bot and question.webhook_id is None:
            self._asked.append(question)

    def original_of(self, message: discord.Message) -> discord.Message | None:
        """The question that a webhook has copied; each has one copy."""
        if message.webhook_id is None:
            return None
        for original in reversed(self._asked):
            if _is_copy(message, original):
                self._asked.remove(original)
                self._askers[message.id] = original.author
                while len(self._askers) > REMEMBERED:
                    self._askers.popitem(last=False)
                return original
        return None

    def asker_of(self, question: discord.Message) -> discord.abc.User:
        """Who wrote it, or what it is a copy of."""
        return self._askers.get(question.id, question.author)


def _is_copy(message: discord.Message, original: discord.Message) -> bool:
    """Whether it has the original's words, perhaps without the signs that asked for a copy."""
    if message.channel.id != original.channel.id:
        return False
    if message.created_at - original.created_at > WITHIN:
        return False
    if message.content.strip():
        return message.content.strip() in original.content
    files = [attachment.filename for attachment in message.attachments]
    return bool(files) and files == [attachment.filename for attachment in original.attachments]
