"""The exchanges of this run: which answer belongs to which question, and what was heard before."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import structlog

from bot.conversation.commands import CommandError
from bot.conversation.core import Core
from bot.conversation.events import Author, Place, QuestionKey
from bot.conversation.in_effect import InEffect
from bot.platforms.background import Background
from bot.platforms.download import NotFetched
from bot.platforms.exchange import Exchange
from bot.storage import StorageError

log = structlog.get_logger()

REMEMBERED = 2000
"""Questions that are deduplicated, and whose edits and deletions are followed."""

AnExchange = TypeVar("AnExchange", bound=Exchange[Any, Any])


class Exchanges(Generic[AnExchange]):
    """The exchanges of this run by the key of their question, which names a message.

    A message that was only heard, such as a command, has a key and no exchange.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._exchanges: OrderedDict[str, AnExchange | None] = OrderedDict()
        self._hearing: dict[str, asyncio.Event] = {}
        self._refused: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        """Who was told where that they may not use the bot there."""

    async def take(self, question: QuestionKey, place: Place) -> InEffect | None:
        """Take a question, and read what is in effect; None where any process took it before.

        Raises StorageError.
        """
        if question.message in self._exchanges:
            return None
        self._remember(question.message, None)
        self._hearing[question.message] = asyncio.Event()
        try:
            here = await self._core.take(question, place)
            if here is None:  # what becomes of it is not this run's business
                self._exchanges.pop(question.message, None)
                self.heard(question.message)
            return here
        except StorageError as error:  # the person gets the answer all the same
            log.error("a question could not be noted", error=str(error))
            return await self._core.read(place)

    def heard(self, message: str) -> None:
        """It is settled what becomes of a message that was taken: an exchange, or none."""
        if hearing := self._hearing.pop(message, None):
            hearing.set()

    async def until_heard(self, message: str) -> None:
        """Wait until that is settled, where the message was taken a moment ago."""
        if hearing := self._hearing.get(message):
            await hearing.wait()

    def is_first_refusal(self, place: Place, author: Author) -> bool:
        """Whether the author was not told yet, in this run, that they may not use the bot here.

        Counts them as told.
        """
        key = (place.server, place.channel, author.id)
        if key in self._refused:
            return False
        self._refused[key] = None
        while len(self._refused) > REMEMBERED:
            self._refused.popitem(last=False)
        return True

    def was_heard(self, message: str) -> bool:
        """Whether a message was taken in this run and got no answer, only a line or nothing."""
        return message in self._exchanges and self._exchanges[message] is None

    def add(self, exchange: AnExchange) -> None:
        self._remember(exchange.key.message, exchange)

    def to(self, question: str) -> AnExchange | None:
        """The exchange about a question."""
        return self._exchanges.get(question)

    def showing(self, message: str) -> AnExchange | None:
        """The exchange that has a message in its answer."""
        return next((e for e in self._newest_first() if e.view.shows(message)), None)

    def at(self, place: Place) -> Iterator[AnExchange]:
        """The exchanges in a thread or channel, the newest first.

        Those in a channel's threads are in the channel too.
        """
        for exchange in self._newest_first():
            there = exchange.place
            same_channel = (there.server, there.channel) == (place.server, place.channel)
            if same_channel and place.thread in (None, there.thread):
                yield exchange

    def _newest_first(self) -> Iterator[AnExchange]:
        return (exchange for exchange in reversed(self._exchanges.values()) if exchange)

    def _remember(self, question: str, exchange: AnExchange | None) -> None:
        self._exchanges[question] = exchange
        while len(self._exchanges) > REMEMBERED:
            self._exchanges.popitem(last=False)


@dataclass(frozen=True)
class ChannelConversation(Generic[AnExchange]):
    """What a command acts on that `person` gave at `place`.

    newest: the id of the message or interaction with the command.
    latest: finds the exchange with the person's newest answer here.
    starter: finds who began the thread; None where nobody did or is known.
    catch_up: tells the person what was said; see Conversation.summarize.
    fetch: the name and the contents of the first file that came with the command.
    """

    core: Core
    place: Place
    newest: str
    latest: Callable[[], Awaitable[AnExchange | None]]
    starter: Callable[[], Awaitable[str | None]]
    catch_up: Callable[[InEffect, Author, datetime | None, str], Awaitable[None]]
    fetch: Callable[[], Awaitable[tuple[str, bytes] | None]]
    background: Background

    async def start_over(self) -> None:
        await self.core.store.conversation_starts.set(self.place.scopes()[0], self.newest)

    async def is_of(self, person: str) -> bool:
        return await self.starter() == person

    async def regenerate(self, author: Author) -> bool:
        exchange = await self.latest()
        if exchange is not None:
            self.background.start(exchange.answer(await exchange.admit(author)))
        return exchange is not None

    async def attached(self, here: InEffect) -> tuple[str, bytes] | None:
        try:
            return await self.fetch()
        except NotFetched as error:
            log.warning("a persona's file could not be fetched", reason=str(error))
            raise CommandError(here.texts("import_not_fetched")) from error

    async def summarize(
        self, here: InEffect, author: Author, since: datetime | None, channel: str
    ) -> None:
        await self.catch_up(here, author, since, channel)
