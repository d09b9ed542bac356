"""How a reply looks on Slack: a status while it is waited for, then a native stream.

Where Slack refuses streams or has had as many as it allows a minute, the answer is a message that
is edited, or one that comes whole. Where it lets the bot post nothing, the asker is told why.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.config import Effort
from bot.conversation.reply import Reply
from bot.conversation.status import what_the_app_does
from bot.conversation.texts import Texts
from bot.platforms.slack.blocks import ButtonValue, markdown
from bot.platforms.slack.errors import code_of, describe
from bot.platforms.slack.layout import Draft, Layout
from bot.platforms.slack.messages import ThreadCache, key_of
from bot.platforms.slack.sending import Pace, retried
from bot.platforms.slack.shown import CannotPost, EditRefused, ShownMessages
from bot.platforms.slack.streaming import Stream, is_refused
from bot.platforms.slack.tasks import tasks_of
from bot.platforms.slack.thread_status import ThreadStatus
from bot.platforms.slack.whisper import whisper
from bot.platforms.slack.workspace import Workspace
from bot.platforms.written import written

log = structlog.get_logger()


@dataclass(frozen=True)
class Look:
    """What doesn't change while an answer comes. The timestamps are the question's."""

    texts: Texts
    channel: str
    thread: str
    asker: str
    question: str


class SlackView:
    """Shows replies in a thread, in `messages` where there are some."""

    def __init__(
        self,
        look: Look,
        workspace: Workspace,
        pace: Pace,
        threads: ThreadCache,
        messages: Sequence[str] = (),
    ) -> None:
        self.look = look
        self.workspace = workspace
        self._pace = pace
        self._threads = threads
        self._layout = Layout(look.texts)
        self._shown = ShownMessages(
            workspace, pace, look.channel, look.thread, look.question, messages
        )
        self._waiting = ThreadStatus(workspace, pace, look.channel, look.thread)
        self._stream: Stream | None = None
        self._streams = not messages
        """Whether the answer may still become a stream; what was said can only be edited."""
        self._unseen = False
        """Whether nothing of this answer can or should be shown any more."""

    async def open(self) -> None:
        """See exchange.View."""
        self._unseen = False
        self._shown.begin()
        try:
            if self._shown.editable:
                await self._show_own(self.look.texts("thinking"))
                return
            await self._waiting.say(self.look.texts("is_thinking"))
            if not await self._waiting.begin_session() and await self._pace.free_turn(
                self.workspace.team, "chat.update"
            ):
                await self._show_stop(self.look.texts("thinking"))
        except CannotPost as error:
            await self._tell_asker(error)

    async def follow(self, reply: Reply) -> None:
        """See exchange.View. Returns early where nobody could see the answer."""
        try:
            async with self._waiting.kept():
                await self._follow_all(reply)
        except CannotPost as error:
            await self._tell_asker(error)
        finally:
            await self._leave()
        self._threads.answered(
            self.look.channel, self.look.thread, self._shown.with_parts, written(reply)
        )

    async def delete(self) -> None:
        """See exchange.View."""
        try:
            await self._leave()
        finally:
            await self._shown.delete()

    def message_ids(self) -> list[str]:
        """See exchange.View."""
        return [*self._shown.fixed, *self._shown.editable]

    def shows(self, message: str) -> bool:
        """See exchange.View."""
        streamed = [self._stream.ts] if self._stream and self._stream.ts else []
        messages = [*self._shown.fixed, *self._shown.editable, *streamed]
        return any(message == key_of(self.look.channel, ts) for ts in messages)

    def taken_away(self, message: str) -> None:
        """See exchange.View."""
        self._unseen = True
        self._shown.taken_away(message)
        if self._stream is not None and self._stream.ts == message:
            self._stream = None

    async def text(self) -> str:
        """See exchange.View."""
        look = self.look
        messages = [*self._shown.fixed, *self._shown.editable]
        return await self._threads.shown_in(self.workspace, look.channel, look.thread, messages)

    # The answer

    async def _follow_all(self, reply: Reply) -> None:
        if self._unseen:
            return
        async for _ in reply.updates():
            if self._unseen:
                return
            await self._follow(reply)

    async def _follow(self, reply: Reply) -> None:
        if reply.state.final:
            await self._end(reply)
        elif reply.text or self._shown.editable or tasks_of(reply, self.look.texts):
            await self._write(reply)
        else:
            await self._waiting.say(what_the_app_does(reply, self.look.texts))

    async def _write(self, reply: Reply) -> None:
        """Show the answer so far, at the pace that Slack allows."""
        team = self.workspace.team
        if reply.approval is not None:  # only a message has buttons
            self._streams = False
            await self._leave_stream()
        if self._stream is None and self._streams:
            await self._begin_stream()
        if self._stream is not None and not self._stream.is_old and await self._fits(reply):
            if not await reply.goes_on_after(self._pace.turn(team, "chat.appendStream")):
                return
            if await self._fits(reply) and await self._streamed(reply):
                return
        if self._stream is not None:
            await self._leave_stream()
        if self._shown.editable:
            if not await reply.goes_on_after(self._pace.turn(team, "chat.update")):
                return
        elif reply.approval is None and (
            self._shown.fixed or not await self._pace.free_turn(team, "chat.update")
        ):
            await reply.ended()  # one message, once it is whole
            return
        if not reply.state.final and not self._unseen:
            with suppress(EditRefused):  # what is missing follows at the end
                await self._show_reply(reply)

    async def _begin_stream(self) -> None:
        self._streams = False
        look = self.look
        if not self._shown.editable and await self._pace.stream_turn(self.workspace.team):
            self._stream = await Stream.into(self.workspace, look.channel, look.thread, look.asker)

    async def _streamed(self, reply: Reply) -> bool:
        """Append what is new; False where Slack has ended or refused the stream."""
        assert self._stream is not None
        try:
            await self._stream.write(reply.text.lstrip(), tasks_of(reply, self.look.texts))
        except (SlackClientError, OSError) as error:
            await self._lose_stream(error)
            return False
        self._waiting.is_over()
        return True

    async def _lose_stream(self, error: Exception) -> None:
        """Slack has ended the stream or refused it: the answer goes on in edits."""
        if is_refused(error):
            self._pace.refuse_streams(self.workspace.team)
        log.info("slack ended a stream, its answer goes on in edits", reason=describe(error))
        await self._leave_stream()

    async def _leave_stream(self) -> None:
        """End the stream so that its message can be edited."""
        stream, self._stream = self._stream, None
        if stream is None or stream.ts is None:
            return
        self._shown.adopt(stream.ts, Draft(text="", source=stream.source))
        with suppress(SlackClientError, OSError):  # it has ended
            await retried(stream.close)

    async def _end(self, reply: Reply) -> None:
        """Show the end, whatever it takes."""
        stream = self._stream
        if stream is not None and stream.ts:
            await self._prepare(reply)
            draft, *more = self._drafts(reply)
            if not more and await self._stream_ended(stream, reply, draft):
                return
        await self._leave_stream()
        while True:
            try:
                await self._show_reply(reply)
            except EditRefused:
                continue
            return

    async def _stream_ended(self, stream: Stream, reply: Reply, draft: Draft) -> bool:
        """End the stream with the rest; False where Slack refuses that."""
        session = "active" if self._waiting.session else None
        try:
            tasks = tasks_of(reply, self.look.texts)
            await stream.end(reply.text.lstrip(), tasks, draft.under, session)
        except (SlackClientError, OSError) as error:
            await self._lose_stream(error)
            return False
        self._stream = None
        self._waiting.session_ended()
        as_streamed = [markdown(draft.source.strip())] if draft.answer else []
        self._shown.adopt(str(stream.ts), replace(draft, answer=as_streamed))
        await self._shown.polish(draft)
        return True

    async def _leave(self) -> None:
        """Leave nothing behind that says that an answer is coming."""
        try:
            await self._leave_stream()
        finally:
            await self._waiting.end()

    # Messages

    async def _show_reply(self, reply: Reply) -> None:
        await self._prepare(reply)
        await self._shown.show(lambda: self._drafts(reply))
        self._waiting.is_over()

    async def _show_own(self, line: str) -> None:
        """A line of the bot's own, in place of the answer."""
        with suppress(EditRefused):
            await self._shown.show(lambda: self._layout.own([line], plain=self._shown.plain))
            return
        await self._show_own(line)

    async def _show_stop(self, line: str) -> None:
        """The line with a button to stop the answer that is to come."""
        value = self._button_value(Effort.LOW)
        with suppress(EditRefused):
            await self._shown.show(
                lambda: self._layout.waiting(line, value, plain=self._shown.plain)
            )
        self._waiting.is_over()

    async def _prepare(self, reply: Reply) -> None:
        await self._layout.prepare(self._begin(reply), reply, plain=self._shown.plain)

    def _drafts(self, reply: Reply) -> list[Draft]:
        """The messages as they should be, without what stands where nothing can be edited."""
        value, shown = self._button_value(reply.effort), self._shown.editable
        return self._layout.answer(self._begin(reply), reply, value, shown, plain=self._shown.plain)

    def _begin(self, reply: Reply) -> int:
        """Where the answer goes on after what stands where nothing can be edited."""
        source = self._shown.source
        return len(source) if reply.text.strip().startswith(source) else 0

    async def _fits(self, reply: Reply) -> bool:
        """Whether the answer so far has room in one message."""
        await self._prepare(reply)
        return len(self._drafts(reply)) == 1

    def _button_value(self, effort: Effort) -> ButtonValue:
        look, earlier = self.look, tuple(self._shown.fixed)
        return ButtonValue(look.asker, look.question, look.thread, effort, earlier)

    async def _tell_asker(self, error: CannotPost) -> None:
        """Slack lets the bot post nothing here: tell the asker where, and whom to ask for what."""
        self._unseen = True
        log.warning("slack refused an answer", reason=str(error))
        look = self.look
        code = code_of(error.refusal)
        ways = ("not_in_channel", "channel_not_found", "is_archived")
        reason = look.texts(f"cannot_post_{code if code in ways else 'restricted'}", code=code)
        place = await self.workspace.name_of(look.channel)
        line = look.texts("cannot_post", channel=place, reason=reason)
        try:
            await whisper(self.workspace, look.channel, look.asker, line)
        except SlackApiError as refusal:
            log.warning("slack: the asker can't be told either", reason=describe(refusal))
