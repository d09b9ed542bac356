"""Answers that an earlier run of the bot began and did not end."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from bot.conversation.core import Core
from bot.conversation.events import Place
from bot.conversation.gate import readmit
from bot.platforms.background import Background
from bot.platforms.exchange import Exchange
from bot.storage import RunningAnswer

log = structlog.get_logger()

Find = Callable[[RunningAnswer], Awaitable[Exchange[Any, Any] | None]]
"""The exchange about an answer's question, with the messages that show it; None where it is gone.

Raises the platform's own errors.
"""


async def recover(
    platform: str,
    bot: str,
    find: Find,
    core: Core,
    background: Background,
    mine: Callable[[RunningAnswer], bool] = lambda answer: True,
) -> None:
    """Answer again what earlier runs of this bot left unanswered, each once, or say that it ended.

    mine: whether this process hears of the place: with shards, another one may.
    Raises StorageError.
    """
    for running in await core.store.answers.take_cut_off(platform, bot, mine):
        log.info("an answer was cut off, it is made again", attempts=running.attempts)
        background.start(_resume(running, find, core))


async def _resume(running: RunningAnswer, find: Find, core: Core) -> None:
    place = Place(running.platform, running.server, running.channel, running.thread)
    admission = readmit(await core.read(place), running, core.store)
    try:
        exchange = await find(running)
        if exchange is not None:
            await exchange.resume(admission, running.attempts)
    finally:
        await admission.withdraw()  # nothing once it has ended
