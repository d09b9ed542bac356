"""What becomes of a message to the bot: a refusal, a command or an answer."""

import re
from typing import Any, Protocol

from bot.conversation.commands import Command, CommandError, Conversation, typed_call
from bot.conversation.core import Core
from bot.conversation.events import Author, Place, QuestionKey
from bot.conversation.gate import AccessDenied, Admission, NotAdmitted, check_access
from bot.conversation.in_effect import InEffect
from bot.platforms.background import Background
from bot.platforms.exchange import Exchange
from bot.platforms.exchanges import AnExchange, Exchanges
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
    def key(self) -> QuestionKey: ...

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

    async def whisper(self, line: str) -> None:
        """Reply with lines for who wrote it, in the least public way that the platform has."""

    async def propose(self, label: str, command: Command) -> None:
        """Show who wrote it a button that opens the command's form, where the platform has one."""

    async def answer(self, admission: Admission) -> None:
        """Answer the message."""


async def hear(
    message: IncomingMessage,
    core: Core,
    exchanges: Exchanges[AnExchange],
    background: Background,
    *,
    again: bool = False,
) -> None:
    """Answer a message, carry out the command in it, or say why not; each message once.

    Returns once the message is taken, and does the rest in the background: a platform that repeats
    what was not acknowledged is told so only then.
    again: whether it was heard before, and has changed since.
    """
    try:
        if again:
            here: InEffect | None = await core.read(message.place)
        else:
            here = await exchanges.take(message.key, message.place)
    except StorageError as error:
        await message.whisper(core.explained(error))
        return
    if here is not None:
        background.start(_settled(message, here, core, exchanges))


async def _settled(
    message: IncomingMessage, here: InEffect, core: Core, exchanges: Exchanges[AnExchange]
) -> None:
    """Do what a message asks for, and note where that is all that becomes of it."""
    try:
        answered = await _hear(message, here, core, exchanges)
    except (CommandError, NotAdmitted, StorageError) as error:
        answered = False
        await message.whisper(core.explained(error))
    finally:
        exchanges.heard(message.key.message)
    if not answered:
        await core.settle(message.key, message.place)


async def _hear(
    message: IncomingMessage, here: InEffect, core: Core, exchanges: Exchanges[AnExchange]
) -> bool:
    """Whether an answer is on its way. Raises CommandError, NotAdmitted, StorageError."""
    author, text = await message.author(), await message.text()
    if call := typed_call(text, here.texts):
        result = await core.run(call, core.context(here, author, message.conversation))
        if result.text and (
            not result.access_denied or exchanges.is_first_refusal(here.place, author)
        ):
            await message.whisper(result.text)
        if result.then is not None:
            await message.propose(here.texts("form_review"), result.then)
        return False
    try:
        check_access(here, author)
    except AccessDenied:
        if exchanges.is_first_refusal(here.place, author):
            raise
        return False
    if key := message.unanswerable(text):
        await message.say(here.texts(key))
        return False
    admission = await core.admit(here, author, message.key, author.id)
    try:
        await message.answer(admission)
    except Exception:  # its own failures are shown in the answer's place
        await admission.withdraw()
        await message.say(here.texts("failed"))
        raise
    return True


async def hear_edit(message: IncomingMessage, exchange: Exchange[Any, Any], core: Core) -> None:
    """Answer an edited question again, or say why not."""
    try:
        admission = await exchange.admit(await message.author())
    except (NotAdmitted, StorageError) as error:
        await message.whisper(core.explained(error))
    else:
        await exchange.answer(admission)
