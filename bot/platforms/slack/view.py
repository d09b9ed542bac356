"""How a reply looks on Slack: a status while it is waited for, then a native stream.

Where Slack refuses streams or has had as many as it allows a minute, the answer is a message that
is edited, or one that comes whole.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from bot.config import Effort
from bot.conversation.reply import Reply
from bot.conversation.status import end_lines, footer_line, status_line
from bot.conversation.texts import Texts
from bot.platforms.buttons import Action, buttons_under
from bot.platforms.markdown.slack import SlackStyle
from bot.platforms.markdown.splitting import Splitter
from bot.platforms.slack.blocks import (
    Block,
    ButtonValue,
    answer_blocks,
    buttons,
    markdown,
    own_lines,
    summary,
)
from bot.platforms.slack.errors import code_of, describe, is_passing
from bot.platforms.slack.limits import PART_LENGTH, STATUS_SECONDS
from bot.platforms.slack.messages import Threads, key_of
from bot.platforms.slack.sending import Pace, retried
from bot.platforms.slack.streaming import Stream, is_refused
from bot.platforms.slack.workspace import Workspace

log = structlog.get_logger()

METADATA = "gptoss_answer"
"""The event_type of the bot's messages: https://docs.slack.dev/messaging/message-metadata"""


@dataclass(frozen=True)
class Look:
    """What doesn't change while an answer comes. The timestamps are the question's."""

    texts: Texts
    channel: str
    thread: str
    asker: str
    question: str


@dataclass(frozen=True)
class AnswerMessage:
    """A message of the answer: its part of it, and own lines and buttons under that.

    text: the part as the model wrote it.
    """

    ts: str
    answer: list[Block]
    under: list[Block]
    text: str = ""

    @property
    def blocks(self) -> list[Block]:
        return [*self.answer, *self.under]


class SlackView:
    """Shows replies in a thread, in `messages` where there are some."""

    def __init__(
        self,
        look: Look,
        workspace: Workspace,
        pace: Pace,
        threads: Threads,
        messages: Sequence[str] = (),
    ) -> None:
        self.look = look
        self.workspace = workspace
        self.shown = [AnswerMessage(ts, [], []) for ts in messages]
        self._pace = pace
        self._threads = threads
        self._stream: Stream | None = None
        self._streams = not messages
        """Whether the answer may still become a stream; what was said can only be edited."""
        self._session = False
        self._status = ""
        self._splitter = Splitter(PART_LENGTH, SlackStyle())
        self._written = ""

    async def open(self) -> None:
        """See exchange.View."""
        if self.shown:
            await self._show([self._own_message([self.look.texts("thinking")])])
            return
        await self._say_status(self.look.texts("thinking"))
        await self._begin_session()

    async def follow(self, reply: Reply) -> None:
        """See exchange.View. Raises SlackApiError."""
        keeping = asyncio.create_task(self._keep_status())
        try:
            async for _ in reply.updates():
                if reply.state.final:
                    await self._end(reply)
                elif reply.text or self.shown or (reply.reasoning and reply.show_reasoning):
                    await self._write(reply)
                else:
                    await self._say_status(status_line(reply, self.look.texts))
        finally:
            keeping.cancel()
            await self._leave()
        messages = [shown.ts for shown in self.shown if shown.text]
        self._threads.answered(self.look.channel, messages, self._written)

    async def delete(self) -> None:
        """See exchange.View."""
        await self._keep(0)

    def message_ids(self) -> list[str]:
        """See exchange.View."""
        return [shown.ts for shown in self.shown]

    def shows(self, message: str) -> bool:
        """See exchange.View."""
        return any(message == key_of(self.look.channel, shown.ts) for shown in self.shown)

    # What is waited for

    async def _keep_status(self) -> None:
        """Say the status again before it lapses."""
        while True:
            await asyncio.sleep(STATUS_SECONDS)
            if self._status and not self.shown:
                await self._set_status(self._status)

    async def _say_status(self, status: str) -> None:
        if status != self._status:
            self._status = status
            await self._set_status(status)

    async def _set_status(self, status: str) -> None:
        """Show a status under the thread; "" takes it away. Only for show: errors are let be."""
        try:
            await self.workspace.client.assistant_threads_setStatus(
                channel_id=self.look.channel, thread_ts=self.look.thread, status=status
            )
        except (SlackApiError, OSError) as error:
            log.debug("slack shows no status", reason=describe(error))

    async def _begin_session(self) -> None:
        """Offer Slack's own Stop, or a button where there is none."""
        team = self.workspace.team
        if not await self._pace.free_turn(team, "agents.sessions.setStatus"):
            return  # many ask at once: /stop still works
        try:
            answer = await self.workspace.client.agents_sessions_setStatus(
                channel_id=self.look.channel, thread_ts=self.look.thread, status="processing"
            )
        except (SlackApiError, OSError) as error:
            if isinstance(error, SlackApiError) and is_passing(error):
                return
            log.debug("slack has no stop button here", reason=describe(error))
            if await self._pace.free_turn(team, "chat.update"):
                await self._show([self._waiting_message(self.look.texts("thinking"))])
            return
        self._session = True
        for warning in (answer.get("response_metadata") or {}).get("warnings", ()):
            log.warning(
                "slack's stop button does nothing: subscribe to agent_session_stopped",
                warning=warning,
            )

    # What is written

    async def _write(self, reply: Reply) -> None:
        """Show the answer so far, at the pace that Slack allows."""
        team = self.workspace.team
        if self._stream is None and self._streams:
            await self._begin_stream()
        one = len(self._parts(reply)) == 1
        if self._stream is not None and not self._stream.is_old and one:
            await self._pace.turn_or_end(team, "chat.appendStream", reply)
            if await self._streamed(reply):
                return
        if self._stream is not None:
            await self._leave_stream()
        if self.shown:
            await self._pace.turn_or_end(team, "chat.update", reply)
            if not reply.state.final:
                await self._show(self._parts(reply))
        else:
            await reply.ended()  # one message, once it is whole

    async def _begin_stream(self) -> None:
        self._streams = False
        look = self.look
        if not self.shown and await self._pace.stream_turn(self.workspace.team):
            title = look.texts("reasoning_title")
            self._stream = await Stream.into(
                self.workspace, look.channel, look.thread, look.asker, title
            )

    async def _streamed(self, reply: Reply) -> bool:
        """Append what is new; False where Slack has ended or refused the stream."""
        assert self._stream is not None
        reasoning = reply.reasoning if reply.show_reasoning else ""
        try:
            await self._stream.write(reply.text, reasoning, thinking=not reply.text)
        except (SlackApiError, OSError) as error:
            await self._lose_stream(error)
            return False
        return True

    async def _lose_stream(self, error: Exception) -> None:
        """Slack has ended the stream or refused it: the answer goes on in edits."""
        if isinstance(error, SlackApiError) and is_refused(error):
            self._pace.refuse_streams(self.workspace.team)
        log.info("slack ended a stream, its answer goes on in edits", reason=describe(error))
        await self._leave_stream()

    async def _leave_stream(self) -> None:
        """End the stream so that its message can be edited."""
        stream, self._stream = self._stream, None
        if stream is None or stream.ts is None:
            return
        self.shown = [AnswerMessage(stream.ts, [], [])]
        with suppress(SlackApiError, OSError):  # it has ended
            await retried(stream.close)

    async def _end(self, reply: Reply) -> None:
        """Show the end, whatever it takes."""
        stream = self._stream
        first, *more = self._parts(reply)
        if stream is not None and stream.ts and not more:
            reasoning = reply.reasoning if reply.show_reasoning else ""
            session = "active" if self._session else None
            try:
                await stream.end(reply.text, reasoning, first.under, session)
            except (SlackApiError, OSError) as error:
                await self._lose_stream(error)
            else:
                self._stream, self._session = None, False
                as_streamed = [markdown(reply.text.strip())] if first.text else []
                self.shown = [replace(first, ts=stream.ts, answer=as_streamed)]
                if not reasoning:  # an edit would take its task away
                    await self._show(self._parts(reply))
                return
        await self._leave_stream()
        await self._show(self._parts(reply))

    async def _leave(self) -> None:
        """Leave nothing behind that says that an answer is coming."""
        await self._leave_stream()
        await self._say_status("")
        if self._session:
            self._session = False
            await self._pace.turn(self.workspace.team, "agents.sessions.setStatus")
            try:
                await self.workspace.client.agents_sessions_setStatus(
                    channel_id=self.look.channel, thread_ts=self.look.thread, status="active"
                )
            except (SlackApiError, OSError) as error:
                log.debug("slack kept the stop button", reason=describe(error))

    # Messages

    def _parts(self, reply: Reply) -> list[AnswerMessage]:
        """The messages as they should be; own lines and buttons stand under the last."""
        texts = self.look.texts
        self._written = reply.text.strip()
        parts = [
            AnswerMessage("", answer_blocks(part.pieces), [], part.source.strip())
            for part in self._splitter.split(self._written)
        ]
        lines = end_lines(reply, texts)
        if reply.state.final:
            lines.append(footer_line(reply, texts))
        elif not parts:
            lines.append(status_line(reply, texts))
        last = parts.pop() if parts else AnswerMessage("", [], [])
        under = [
            *own_lines(lines),
            *buttons(buttons_under(reply), self._button_value(reply, len(parts)), texts),
        ]
        return [*parts, replace(last, under=under)]

    def _button_value(self, reply: Reply, earlier: int) -> ButtonValue:
        look = self.look
        before = tuple(shown.ts for shown in self.shown[:earlier])
        return ButtonValue(look.asker, look.question, look.thread, reply.effort, before)

    def _own_message(self, lines: list[str]) -> AnswerMessage:
        return AnswerMessage("", [], own_lines(lines))

    def _waiting_message(self, line: str) -> AnswerMessage:
        look = self.look
        value = ButtonValue(look.asker, look.question, look.thread, Effort.LOW)
        stop = buttons([Action.STOP], value, look.texts)
        return AnswerMessage("", [], [*own_lines([line]), *stop])

    async def _show(self, parts: Sequence[AnswerMessage]) -> None:
        """Make the thread show these messages, and no more of the answer."""
        for at, part in enumerate(parts):
            if at == len(self.shown):
                self.shown.append(replace(part, ts=await self._post(part)))
            elif self.shown[at].blocks != part.blocks:
                ts = self.shown[at].ts
                await retried(self._update, ts, part)
                self.shown[at] = replace(part, ts=ts)
        await self._keep(len(parts))

    async def _keep(self, count: int) -> None:
        while len(self.shown) > count:
            ts = self.shown.pop().ts
            try:
                await retried(self._delete, ts)
            except SlackApiError as error:
                if code_of(error) != "message_not_found":  # somebody was quicker
                    raise

    async def _post(self, part: AnswerMessage) -> str:
        """Post a message once, though Slack may say that it failed when it did not."""
        nonce = token_hex(8)
        metadata = {"event_type": METADATA, "event_payload": {"nonce": nonce}}
        tried = False

        async def post() -> str:
            nonlocal tried
            if tried and (ts := await self._posted(nonce)):
                return ts
            tried = True
            await self._pace.post(self.look.channel)
            answer = await self.workspace.client.chat_postMessage(
                channel=self.look.channel,
                thread_ts=self.look.thread,
                metadata=metadata,
                unfurl_links=False,
                unfurl_media=False,
                **self._body(part),
            )
            return str(answer["ts"])

        return await retried(post)

    async def _posted(self, nonce: str) -> str | None:
        """The timestamp of the message with this nonce, if it is in the thread."""
        page = await self.workspace.client.conversations_replies(
            channel=self.look.channel,
            ts=self.look.thread,
            oldest=self.look.question,
            include_all_metadata=True,
        )
        for message in page["messages"]:
            payload = message.get("metadata", {}).get("event_payload", {})
            if payload.get("nonce") == nonce:
                return str(message["ts"])
        return None

    async def _update(self, ts: str, part: AnswerMessage) -> Any:
        return await self.workspace.client.chat_update(
            channel=self.look.channel, ts=ts, **self._body(part)
        )

    async def _delete(self, ts: str) -> Any:
        return await self.workspace.client.chat_delete(channel=self.look.channel, ts=ts)

    def _body(self, part: AnswerMessage) -> dict[str, Any]:
        return {"blocks": part.blocks, "text": summary(part.text)}
