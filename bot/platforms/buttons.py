"""The buttons under an answer: which there are when, and what pressing one does."""

from enum import StrEnum
from typing import Any, Protocol

from bot.config import Effort
from bot.conversation.core import Core
from bot.conversation.events import Author, Place
from bot.conversation.gate import NotAdmitted, check_access
from bot.conversation.in_effect import InEffect
from bot.conversation.reply import Reply, ReplyState
from bot.conversation.texts import Texts
from bot.platforms.background import Background
from bot.platforms.exchange import Exchange
from bot.storage import StorageError


class Action(StrEnum):
    """What a button does."""

    ALLOW = "allow"
    DENY = "deny"
    STOP = "stop"
    REGENERATE = "regenerate"
    HARDER = "harder"
    DELETE = "delete"
    KEEP = "keep"
    """Don't delete it after all; where the platform has no dialogue of its own to ask that."""
    UP = "up"
    DOWN = "down"


DECISIONS = (Action.ALLOW, Action.DENY)
VOTES = {Action.UP: 1, Action.DOWN: -1}


def buttons_under(reply: Reply, *, again: bool = True, private: bool = False) -> tuple[Action, ...]:
    """The buttons for the reply as it is.

    again: whether it can be made again. private: whether only the asker sees it.
    """
    if not reply.state.final:
        asked = (Action.ALLOW, Action.DENY) if reply.approval else ()
        return (*asked, Action.STOP)
    if private:
        return ()
    buttons = [Action.REGENERATE] if again else []
    if again and reply.state is not ReplyState.FAILED and reply.effort is not Effort.HIGH:
        buttons.append(Action.HARDER)
    votes = VOTES if reply.state is ReplyState.DONE else ()
    return (*buttons, Action.DELETE, *votes)


class Press(Protocol):
    """A press on a button, as its platform has it."""

    @property
    def action(self) -> Action: ...

    @property
    def effort(self) -> Effort:
        """That of the answer above the button."""
        ...

    @property
    def asker(self) -> str:
        """The id of who asked the question."""
        ...

    @property
    def call(self) -> str:
        """The key of the call that the button allows or doesn't; "" for other buttons."""
        ...

    @property
    def place(self) -> Place: ...

    @property
    def message(self) -> str:
        """The id of the message with the button."""
        ...

    async def author(self) -> Author:
        """Who pressed."""
        ...

    def moderates(self, author: Author) -> bool:
        """Whether who pressed may change other people's answers."""
        ...

    async def exchange(self, here: InEffect) -> Exchange[Any, Any] | None:
        """The exchange that the button belongs to; None where the question is gone."""

    async def is_sure(self, texts: Texts) -> bool:
        """Whether who pressed was asked if they mean it; False while they are being asked."""
        ...

    async def whisper(self, line: str) -> None:
        """Show a line only to who pressed."""


async def press(press: Press, core: Core, background: Background) -> None:
    """Do what a button says, or tell who pressed it why not."""
    try:
        line = await _press(press, core, background)
    except (NotAdmitted, StorageError) as error:
        line = core.explained(error)
    if line is not None:
        await press.whisper(line)


async def _press(press: Press, core: Core, background: Background) -> str | None:
    """Do what the button says; a line for who pressed it, where there is something to say.

    Raises NotAdmitted, StorageError.
    """
    place, action = press.place, press.action
    here, author = await core.read(place), await press.author()
    if action in VOTES:
        check_access(here, author)
        await core.store.feedback.set(
            place.platform, place.server, place.channel, press.message, author.id, VOTES[action]
        )
        return here.texts("thanks")
    if author.id != press.asker:
        if action in DECISIONS:
            return here.texts("not_yours_to_allow")
        if not press.moderates(author):
            return here.texts("not_yours")
    exchange = await press.exchange(here)
    if exchange is None:
        return here.texts("question_gone")
    match action:
        case Action.ALLOW | Action.DENY:
            if not exchange.decide(press.call, allowed=action is Action.ALLOW):
                return here.texts("nothing_to_allow")
        case Action.DELETE:
            if await press.is_sure(here.texts):
                await exchange.delete()
        case Action.STOP if exchange.running:
            exchange.stop()
        case Action.STOP if exchange.begun:  # of a message that could not be edited any more
            return here.texts("nothing_to_stop")
        case Action.STOP:
            await exchange.say_cut_off()
        case Action.REGENERATE | Action.HARDER:
            effort = press.effort.harder if action is Action.HARDER else None
            background.start(exchange.answer(await exchange.admit(author, effort)))
    return None
