"""What becomes of a message to the bot: a refusal, a command or an answer."""

import re
from typing import Protocol

from bot.conversation.commands import Conversation, is_command
from bot.conversation.core import Core
from bot.conversation.events import Author, Place
from bot.conversation.in_effect import InEffect
from bot.storage import StorageError

_ADDRESSEE = re.compile(r"\s*<@[!&]?(\w+)")
"""A mention at the start of a text: of a person or role, as both platforms write it."""


def addressee(text: str) -> str | None:
    """The id of whom a text opens by addressing."""
    found = _ADDRESSEE.match(text)
    return found[1] if found else None


class IncomingMessage(Protocol):
    """A message to the bot, as its platform has it."""

    @property
    def place(self) -> Place: ...

    @property
    def conversation(self) -> Conversation:
        """What a command in the message acts on."""
        ...

    async def author(self) -> Author: ...

    async def text(self) -> str:
        """What was said, without the mention of the bot."""
        ...

    def unanswerable(self, text: str) -> str | None:
        """The key of the text that says why there is nothing to answer; None where there is."""

    async def say(self, line: str) -> None:
        """Reply with lines of the bot's own."""

    async def refuse(self, line: str) -> None:
        """Say why the author may not ask, only to them where the platform can."""

    async def answer(self, here: InEffect) -> None:
        """Answer the message."""


async def hear(message: IncomingMessage, core: Core) -> None:
    """Answer a message, carry out the command in it, or say why not."""
    try:
        await _hear(message, core)
    except StorageError as error:
        await message.say(core.storage_failed(error))


async def _hear(message: IncomingMessage, core: Core) -> None:
    here, author = await core.read(message.place), await message.author()
    if reason := await core.refusal(here, author):
        return await message.refuse(reason)
    text = await message.text()
    if is_command(text, here.texts):
        result = await core.run(text, core.context(here, author, message.conversation))
        return await message.say(result.text)
    if key := message.unanswerable(text):
        return await message.say(here.texts(key))
    return await message.answer(here)
