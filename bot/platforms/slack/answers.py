"""The answers that the bot gives to messages, and how each is found again."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

import structlog
from slack_sdk.errors import SlackApiError

from bot.config import Effort
from bot.conversation.core import Core
from bot.conversation.events import Question
from bot.platforms.background import Background
from bot.platforms.conversation import ChannelConversation, forgotten_until
from bot.platforms.exchange import Asked, Exchange
from bot.platforms.slack.blocks import Pressed
from bot.platforms.slack.errors import describe
from bot.platforms.slack.messages import (
    Payload,
    Threads,
    message_at,
    place_of,
    read,
    text_of,
    thread_of,
)
from bot.platforms.slack.sending import Pace
from bot.platforms.slack.view import Look, SlackView
from bot.platforms.slack.workspace import Workspace
from bot.storage import StorageError

log = structlog.get_logger()

REMEMBERED = 2000
"""Questions that are deduplicated, and whose edits and deletions are followed."""
TITLE_LENGTH = 200

SlackExchange = Exchange[Payload, SlackView]
Key = tuple[str, str]
"""Channel and timestamp."""


class Answers:
    """The exchanges of this run, by the channel and timestamp of the question."""

    def __init__(self, core: Core, background: Background) -> None:
        self.threads = Threads()
        self._core = core
        self._background = background
        self._pace = Pace()
        self._exchanges: OrderedDict[Key, SlackExchange | None] = OrderedDict()
        """None where a message was heard and no more."""

    async def is_new(self, team: str, channel: str, ts: str) -> bool:
        """Whether a message comes for the first time, repeats before a restart included."""
        if (channel, ts) in self._exchanges:
            return False
        self._remember(channel, ts, None)
        try:
            return await self._core.store.take("slack", f"{team}:{channel}:{ts}")
        except StorageError as error:  # the person shall have the answer all the same
            log.error("a question could not be noted", error=str(error))
            return True

    def to(self, channel: str, ts: str) -> SlackExchange | None:
        """The exchange about a question of this run."""
        return self._exchanges.get((channel, ts))

    def in_thread(self, channel: str, thread: str) -> list[SlackExchange]:
        """The exchanges of this run in a thread."""
        here = [e for (where, _), e in self._exchanges.items() if e and where == channel]
        return [exchange for exchange in here if exchange.view.look.thread == thread]

    def showing(self, channel: str, ts: str) -> SlackExchange | None:
        """The exchange of this run that has the message at `ts` in its answer."""
        for (where, _), exchange in self._exchanges.items():
            if exchange and where == channel and any(s.ts == ts for s in exchange.view.shown):
                return exchange
        return None

    async def open(
        self, workspace: Workspace, channel: str, question: Payload, messages: Sequence[str] = ()
    ) -> SlackExchange:
        """The exchange about `question`, whose answer is or will be in `messages`.

        Raises StorageError.
        """
        thread = thread_of(question)
        place = place_of(workspace.team, channel, thread)
        texts = await self._core.texts(place)
        look = Look(texts, channel, thread, question["user"], question["ts"])
        view = SlackView(look, workspace, self._pace, messages)
        exchange = Exchange(question, self._ask(workspace, channel), view, self._core.responder)
        self._remember(channel, question["ts"], exchange)
        return exchange

    async def found(
        self, workspace: Workspace, channel: str, pressed: Pressed, last: str
    ) -> SlackExchange | None:
        """The exchange that a button belongs to; `last` is the answer's last message.

        None where the question is gone. Raises SlackApiError, StorageError.
        """
        if known := self._exchanges.get((channel, pressed.question)):
            return known
        question = await message_at(workspace, channel, pressed.thread, pressed.question)
        if question is None:
            return None
        return await self.open(workspace, channel, question, [*pressed.earlier, last])

    def start(self, exchange: SlackExchange, effort: Effort | None = None) -> None:
        """Answer in the background, in place of the answer so far."""

        async def answer() -> None:
            await exchange.answer(effort)
            look = exchange.view.look
            self.threads.answered(look.channel, look.thread, exchange.view.messages())

        self._background.start(answer())

    def conversation(
        self, workspace: Workspace, channel: str, thread: str | None, ts: str, person: str
    ) -> ChannelConversation:
        """What a command that the person gives acts on; `ts` is when."""

        async def again() -> bool:
            exchange = await self._latest_of(workspace, channel, thread, person)
            if exchange is not None:
                self.start(exchange)
            return exchange is not None

        place = place_of(workspace.team, channel, thread)
        return ChannelConversation(self._core.store, place, ts, again)

    async def _latest_of(
        self, workspace: Workspace, channel: str, thread: str | None, person: str
    ) -> SlackExchange | None:
        """The exchange with the person's newest answer in the channel or thread."""
        for (where, _), exchange in reversed(self._exchanges.items()):
            if exchange is None or where != channel or exchange.question["user"] != person:
                continue
            if thread in (None, exchange.view.look.thread):
                return exchange
        if thread is None:
            return None
        found = await self.threads.latest_of(workspace, channel, thread, person)
        return None if found is None else await self.found(workspace, channel, *found)

    def _ask(
        self, workspace: Workspace, channel: str
    ) -> Callable[[Payload, Effort | None], Awaitable[Asked]]:
        async def ask(question: Payload, effort: Effort | None) -> Asked:
            limits = self._core.config().conversation
            place = place_of(workspace.team, channel, thread_of(question))
            texts = await self._core.texts(place)
            since = await forgotten_until(self._core.store, place)
            newest = await read(question, workspace, limits.attachment_max_bytes, texts)
            notices = newest.notices
            try:
                history = await self.threads.before(
                    workspace, channel, question, limits.max_messages
                )
            except SlackApiError as error:
                log.warning("slack: a thread can't be read", reason=describe(error))
                history = []
                notices = [*notices, texts("lacks_history")]
            earlier = [
                (await read(m, workspace, limits.attachment_max_bytes, texts)).message
                for m in history
                if m["ts"] > since
            ]
            return Asked(Question(place, newest.message, earlier, effort), notices)

        return ask

    async def entitle(self, workspace: Workspace, channel: str, question: Payload) -> None:
        """Give a new conversation with the agent its first words as title; only for show."""
        title = " ".join((await text_of(question, workspace)).split())[:TITLE_LENGTH]
        try:
            await workspace.client.assistant_threads_setTitle(
                channel_id=channel, thread_ts=thread_of(question), title=title
            )
        except (SlackApiError, OSError) as error:
            log.debug("slack shows no title", reason=describe(error))

    def _remember(self, channel: str, ts: str, exchange: SlackExchange | None) -> None:
        self._exchanges[channel, ts] = exchange
        while len(self._exchanges) > REMEMBERED:
            self._exchanges.popitem(last=False)
