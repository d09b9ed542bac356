"""Resumes answers that an earlier run of the bot began and did not finish."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

import structlog

from bot.conversation.core import Core
from bot.conversation.events import Place
from bot.conversation.gate import readmit
from bot.platforms.background import Background
from bot.platforms.exchange import Exchange
from bot.storage import RunningAnswer, TakenQuestion

log = structlog.get_logger()

ATTEMPTS = 2
"""At one answer: it is not begun a third time, because it may be what ends the process."""


class CutOffState(Enum):
    """What can be done about an answer that was cut off."""

    ANSWER = auto()
    UNREADABLE = auto()
    """The platform doesn't tell what was asked."""
    DELETED = auto()


@dataclass(frozen=True)
class CutOffAnswer:
    """An answer that was cut off, with the messages that show it."""

    exchange: Exchange[Any, Any]
    state: CutOffState = CutOffState.ANSWER


class Recovery(Protocol):
    """Finds what an earlier run left on a platform. Methods raise the platform's own errors."""

    async def find_cut_off(self, running: RunningAnswer) -> CutOffAnswer | None:
        """An answer; None where neither its question nor its place is there any more."""

    async def hear_again(self, taken: TakenQuestion) -> None:
        """Hear a message that was taken, if it is still there."""

    def is_mine(self, server: str) -> bool:
        """Whether this process hears of the server: with shards, another one may."""
        ...


async def recover(
    platform: str, bot: str, recovery: Recovery, core: Core, background: Background
) -> None:
    """Resume what ended runs of this bot left unfinished, each item once. Raises StorageError.

    An answer that was begun is made again, or says that it was cut off; a question that was only
    taken is heard again. This happens now, and whenever another run ends beside this one.
    """
    store = core.store

    async def go_on() -> None:
        if background.ending:
            return
        for running in await store.answers.take_cut_off(platform, bot, recovery.is_mine):
            log.info("an answer was cut off, it is made again", attempts=running.attempts)
            background.start(_resume(running, recovery, core))
        for taken in await store.questions.left(platform, bot):
            if recovery.is_mine(taken.server):
                log.info("a question was taken and not answered, it is heard again")
                background.start(recovery.hear_again(taken))

    await go_on()
    store.runs.when_one_ends(go_on)


async def _resume(running: RunningAnswer, recovery: Recovery, core: Core) -> None:
    place = Place(running.platform, running.server, running.channel, running.thread)
    admission = readmit(await core.read(place), running, core.store)
    try:
        match await recovery.find_cut_off(running):
            case CutOffAnswer(exchange, CutOffState.DELETED):
                await exchange.delete()
            case CutOffAnswer(exchange, state):
                again = state is CutOffState.ANSWER and running.attempts <= ATTEMPTS
                await exchange.resume(admission, again=again)
    finally:
        await admission.withdraw()  # nothing once it has ended
