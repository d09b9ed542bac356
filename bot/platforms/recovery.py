"""Answers that an earlier run of the bot began and did not end."""

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
"""To make an answer; it is begun no third time, as it may be what ends the process."""


class State(Enum):
    """What can be done about a question whose answer was cut off."""

    ANSWER = auto()
    UNREADABLE = auto()
    """The platform doesn't tell what was asked."""
    DELETED = auto()


@dataclass(frozen=True)
class CutOff:
    """An answer that was cut off, with the messages that show it."""

    exchange: Exchange[Any, Any]
    state: State = State.ANSWER


class Finds(Protocol):
    """Finds again what an earlier run left. Its methods raise the platform's own errors."""

    async def find_cut_off(self, running: RunningAnswer) -> CutOff | None:
        """An answer; None where neither its question nor its place is there any more."""

    async def hear_again(self, taken: TakenQuestion) -> None:
        """Hear a message that was taken, if it is still there."""

    def is_mine(self, server: str) -> bool:
        """Whether this process hears of the server: with shards, another one may."""
        ...


async def recover(
    platform: str, bot: str, finds: Finds, core: Core, background: Background
) -> None:
    """Go on with what other runs of this bot left that have ended, each once. Raises StorageError.

    What they began to answer is answered again, or says that it ended; what they only took is heard
    again: now, and whenever a run ends beside this one.
    """
    store = core.store

    async def go_on() -> None:
        if background.ending:
            return
        for running in await store.answers.take_cut_off(platform, bot, finds.is_mine):
            log.info("an answer was cut off, it is made again", attempts=running.attempts)
            background.start(_resume(running, finds, core))
        for taken in await store.questions.left(platform, bot):
            if finds.is_mine(taken.server):
                log.info("a question was taken and not answered, it is heard again")
                background.start(finds.hear_again(taken))

    await go_on()
    store.runs.when_one_ends(go_on)


async def _resume(running: RunningAnswer, finds: Finds, core: Core) -> None:
    place = Place(running.platform, running.server, running.channel, running.thread)
    admission = readmit(await core.read(place), running, core.store)
    try:
        match await finds.find_cut_off(running):
            case CutOff(exchange, State.DELETED):
                await exchange.delete()
            case CutOff(exchange, state):
                again = state is State.ANSWER and running.attempts <= ATTEMPTS
                await exchange.resume(admission, again=again)
    finally:
        await admission.withdraw()  # nothing once it has ended
