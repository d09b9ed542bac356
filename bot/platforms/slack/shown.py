"""The messages of one answer as Slack has them, and the next best where it refuses one.

Text where it refuses blocks; a further message where it refuses an edit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from bot.platforms.slack.errors import code_of, describe, is_passing, messages_of, refuses_blocks
from bot.platforms.slack.layout import Draft
from bot.platforms.slack.sending import Pace, retried
from bot.platforms.slack.workspace import Workspace

log = structlog.get_logger()

METADATA = "gptoss_answer"
"""The event_type of the bot's messages: https://docs.slack.dev/messaging/message-metadata"""


class CannotPost(Exception):
    """Slack lets the bot post nothing here; `refusal` is its word."""

    def __init__(self, refusal: SlackApiError) -> None:
        super().__init__(describe(refusal))
        self.refusal = refusal


class EditRefused(Exception):
    """A message stays as it is: what it lacks goes into a further one, at the next call."""


@dataclass(frozen=True)
class _Message:
    ts: str
    draft: Draft


_UNKNOWN = Draft("")
"""What stands in a message of an earlier run."""


class ShownMessages:
    """Makes the thread show what it should.

    plain: whether Slack refused blocks here; before that it may have refused cards of tasks.
    source: the beginning of the answer that stands in messages which can't be edited any more.
    """

    def __init__(
        self,
        workspace: Workspace,
        pace: Pace,
        channel: str,
        thread: str,
        question: str,
        messages: Sequence[str],
    ) -> None:
        self.plain = False
        self._cards = True
        self.source = ""
        self._workspace = workspace
        self._pace = pace
        self._channel = channel
        self._thread = thread
        self._question = question
        self._fixed: list[_Message] = []
        self._messages = [_Message(ts, _UNKNOWN) for ts in messages]

    @property
    def fixed(self) -> list[str]:
        """The timestamps of those that can't be edited."""
        return [message.ts for message in self._fixed]

    @property
    def editable(self) -> list[str]:
        """The timestamps of the others, which follow them."""
        return [message.ts for message in self._messages]

    @property
    def with_parts(self) -> list[str]:
        """The timestamps of those that show a part of the answer."""
        messages = [*self._fixed, *self._messages]
        return [message.ts for message in messages if message.draft.source]

    def begin(self) -> None:
        """Another answer takes the place of this one."""
        self.source = ""

    def adopt(self, ts: str, draft: Draft) -> None:
        """A stream has become a message."""
        self._messages = [_Message(ts, draft)]

    def taken_away(self, ts: str) -> None:
        """Somebody deleted a message."""
        self._fixed = [message for message in self._fixed if message.ts != ts]
        self._messages = [message for message in self._messages if message.ts != ts]

    async def show(self, drafts: Callable[[], Sequence[Draft]]) -> None:
        """Make the thread show these messages, and no more of the answer.

        Raises CannotPost, EditRefused; SlackApiError or OSError while Slack is down for long.
        """
        while True:
            wanted = [draft if self._cards else replace(draft, above=()) for draft in drafts()]
            try:
                return await self._show(wanted)
            except SlackApiError as error:
                if self.plain or not refuses_blocks(error):
                    raise
                log.warning(
                    "slack refused blocks, so the answer is simpler",
                    reason=describe(error),
                    messages=messages_of(error),
                )
                self.plain = not any(draft.above for draft in wanted)
                self._cards = False

    async def polish(self, draft: Draft) -> None:
        """Let the message look better that says the same; it may stay as it is."""
        (message,) = self._messages
        if message.draft.looks_like(draft):
            return
        try:
            await retried(self._update, message.ts, draft)
        except SlackApiError as error:
            log.info("slack did not take an answer's better form", reason=describe(error))
        else:
            self._messages = [_Message(message.ts, draft)]

    async def keep(self, count: int) -> None:
        """Delete what is too much."""
        while len(self._messages) > count:
            await self._delete(self._messages.pop().ts)

    async def delete(self) -> None:
        """Delete all messages."""
        await self.keep(0)
        while self._fixed:
            await self._delete(self._fixed.pop().ts)

    async def _show(self, drafts: Sequence[Draft]) -> None:
        for at, draft in enumerate(drafts):
            if at == len(self._messages):
                self._messages.append(_Message(await self._post(draft), draft))
            elif not self._messages[at].draft.looks_like(draft):
                ts = self._messages[at].ts
                try:
                    await retried(self._update, ts, draft)
                except SlackApiError as error:
                    if is_passing(error) or (draft.blocks and refuses_blocks(error)):
                        raise
                    self._fix(drafts, at, error)
                    raise EditRefused from error
                self._messages[at] = _Message(ts, draft)
        await self.keep(len(drafts))

    def _fix(self, drafts: Sequence[Draft], at: int, error: SlackApiError) -> None:
        """The message `at` stays as it is, and so do those before it."""
        log.warning("slack refused an edit, a message follows", reason=describe(error))
        missing = "".join(draft.source for draft in drafts[at:])
        there = self._messages[at].draft.source
        if code_of(error) == "message_not_found":
            there = ""  # what stood in it is not shown any more
        elif not missing.startswith(there):
            there = ""  # that was another answer
        self.source += "".join(draft.source for draft in drafts[:at]) + there
        self._fixed += self._messages[: at + 1]
        self._messages = self._messages[at + 1 :]

    async def _post(self, draft: Draft) -> str:
        """Post a message once, though Slack may say that it failed when it did not."""
        nonce = token_hex(8)
        metadata = {"event_type": METADATA, "event_payload": {"nonce": nonce}}
        tried = False

        async def post() -> str:
            nonlocal tried
            if tried and (ts := await self._posted(nonce)):
                return ts
            tried = True
            await self._pace.post(self._channel)
            answer = await self._workspace.client.chat_postMessage(
                channel=self._channel,
                thread_ts=self._thread,
                metadata=metadata,
                unfurl_links=False,
                unfurl_media=False,
                text=draft.text,
                blocks=draft.blocks or None,
            )
            return str(answer["ts"])

        try:
            return await retried(post)
        except SlackApiError as error:
            if is_passing(error) or (draft.blocks and refuses_blocks(error)):
                raise
            raise CannotPost(error) from error

    async def _posted(self, nonce: str) -> str | None:
        """The timestamp of the message with this nonce, if it is in the thread."""
        page = await self._workspace.client.conversations_replies(
            channel=self._channel,
            ts=self._thread,
            oldest=self._question,
            include_all_metadata=True,
        )
        for message in page.get("messages") or ():
            payload = message.get("metadata", {}).get("event_payload", {})
            if payload.get("nonce") == nonce:
                return str(message["ts"])
        return None

    async def _update(self, ts: str, draft: Draft) -> Any:
        return await self._workspace.client.chat_update(
            channel=self._channel, ts=ts, text=draft.text, blocks=draft.blocks
        )

    async def _delete(self, ts: str) -> None:
        """Only what can be: somebody was quicker, or Slack doesn't allow it any more."""
        try:
            await retried(self._workspace.client.chat_delete, channel=self._channel, ts=ts)
        except SlackApiError as error:
            log.info("slack did not delete a message", reason=describe(error))
