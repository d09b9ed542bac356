"""What was said in a channel: read from now back to a time, and told to the person who asks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import structlog

from bot.conversation.catching_up import CatchUp, Transcript, TranscriptMessage
from bot.conversation.core import Core
from bot.conversation.events import QuestionKey
from bot.conversation.in_effect import InEffect
from bot.platforms.background import Background
from bot.platforms.exchange import Exchange, View
from bot.platforms.exchanges import Exchanges

log = structlog.get_logger()

MESSAGES = 5_000
"""That are read at most, the newest."""
CHANNEL_SECONDS, THREADS_SECONDS = 60.0, 30.0
"""In which a channel, and then its threads, must have come; Slack may allow 15 messages a minute.
"""
LOOK_BACK = timedelta(days=7)
"""How far the person's own last message may be; beyond it nobody wants to know all."""


class ChannelReader(Protocol):
    """A channel as its platform gives it: only what the asker may read, pages newest first."""

    def pages(self, since: datetime) -> AsyncIterator[Sequence[TranscriptMessage]]:
        """What was said in the channel since then. Raises UnreadableChannel."""
        ...

    def threads(self, since: datetime) -> AsyncIterator[Sequence[TranscriptMessage]]:
        """What was said in the channel's threads since then."""
        ...


class _Enough(Exception):
    """There are as many messages as may be."""


async def read_back(
    source: ChannelReader, asker: str, since: datetime | None, tell: Callable[[int], None]
) -> Transcript:
    """What was said since then; since the asker's own last message where that is None.

    tell: is told how many messages there are so far. Raises UnreadableChannel.
    """
    begin = since or datetime.now(UTC) - LOOK_BACK
    said: dict[str, TranscriptMessage] = {}

    async def collect(
        pages: AsyncIterator[Sequence[TranscriptMessage]], *, until_own: bool
    ) -> datetime:
        async for page in pages:
            for one in page:
                if until_own and one.message.author.id == asker:
                    return one.at
                if one.at >= begin:
                    said.setdefault(one.link, one)
                if len(said) >= MESSAGES:
                    raise _Enough
            tell(len(said))
        return begin

    complete = True
    try:
        async with asyncio.timeout(CHANNEL_SECONDS):
            begin = await collect(source.pages(begin), until_own=since is None)
        async with asyncio.timeout(THREADS_SECONDS):
            await collect(source.threads(begin), until_own=False)
    except (TimeoutError, _Enough) as error:
        log.info("a channel was not read to the end", messages=len(said), why=type(error).__name__)
        complete = False
    in_order = sorted(said.values(), key=lambda one: one.at)
    if not complete and in_order:
        begin = in_order[0].at
    return Transcript(in_order, begin, complete)


async def show_summary(
    wish: CatchUp,
    key: QuestionKey,
    here: InEffect,
    view: View,
    core: Core,
    exchanges: Exchanges[Any],
    background: Background,
) -> None:
    """Begin to show the summary that somebody wishes. Raises as `Exchange.admit` does."""

    async def read_question(wish: CatchUp, _: InEffect) -> CatchUp:
        return wish

    author = wish.message.author
    exchange = Exchange(wish, key, author.id, here.place, read_question, view, core)
    admission = await exchange.admit(author)
    exchanges.add(exchange)
    background.start(exchange.answer(admission))
