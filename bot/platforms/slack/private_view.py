"""The view of a reply that only its asker sees. Nothing can be edited: lines follow lines."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bot.config import Effort
from bot.conversation.catching_up import LINK_LABEL
from bot.conversation.reply import Reply, ReplyState
from bot.conversation.status import end_lines, footer_line, status_line
from bot.conversation.texts import Texts
from bot.platforms.buttons import Action
from bot.platforms.markdown.slack import SlackStyle
from bot.platforms.markdown.splitting import Splitter
from bot.platforms.slack.blocks import (
    ButtonValue,
    answer_blocks,
    buttons,
    own_lines,
    own_text,
)
from bot.platforms.slack.limits import PART_LENGTH
from bot.platforms.slack.mrkdwn import plain_text
from bot.platforms.slack.responding import RenderedMessage, responded
from bot.platforms.slack.whisper import show_only_to
from bot.platforms.slack.workspace import Workspace

PROGRESS_SECONDS = 20.0
"""Between two lines of progress."""
_LINK = re.compile(rf"\[{LINK_LABEL}\]\((https://[^()\s]+)\)")


@dataclass(frozen=True)
class PrivateLook:
    """Where a reply is shown, and how it begins.

    url: the response_url of what the person did; "" where there is none.
    channel, thread: where the person is; no channel: in private, no thread: in the channel itself.
    question: what the reply is known by.
    begun, heading: lines while it comes, and above it.
    """

    texts: Texts
    channel: str
    thread: str | None
    person: str
    question: str
    url: str
    begun: str
    heading: str


class PrivateView:
    """See exchange.View."""

    def __init__(self, look: PrivateLook, workspace: Workspace) -> None:
        self._look = look
        self._workspace = workspace
        self._url = look.url
        self._said_at = 0.0

    async def open(self) -> None:
        """See exchange.View."""
        await self._show([self.begun()])

    async def follow(self, reply: Reply) -> None:
        """See exchange.View."""
        told = ""
        async for _ in reply.updates():
            if reply.state.final:
                await self._show(self.messages(reply))
                return
            line = status_line(reply, self._look.texts)
            waited = time.monotonic() - self._said_at > PROGRESS_SECONDS
            begins = not told and reply.state is ReplyState.THINKING and bool(reply.activity)
            if line != told and (waited or begins):
                told = line
                await self._say(line)

    async def delete(self) -> None:
        """See exchange.View. Only the person can take it away."""

    def shows(self, message: str) -> bool:
        """See exchange.View."""
        return False

    def taken_away(self, message: str) -> None:
        """See exchange.View."""

    async def text(self) -> str:
        """See exchange.View: Slack tells nothing of what only one person sees."""
        return ""

    def message_ids(self) -> list[str]:
        """See exchange.View. They have none that could be used."""
        return []

    def begun(self) -> RenderedMessage:
        """The message with which it begins, and which can stop it."""
        look = self._look
        value = ButtonValue(look.person, look.question, look.thread or look.question, Effort.LOW)
        stop = buttons([Action.STOP], value, look.texts)
        return [*own_lines([look.begun]), *stop], own_text([look.begun])

    def messages(self, reply: Reply) -> list[RenderedMessage]:
        """The messages of a reply that has ended."""
        look, texts = self._look, self._look.texts
        ends = [*end_lines(reply, texts), footer_line(reply, texts)]
        parts = Splitter(PART_LENGTH, SlackStyle()).split(reply.text.strip())
        if not parts:
            return [(own_lines(ends), own_text(ends))]
        heading, under = own_lines([look.heading], "heading"), own_lines(ends)
        shown: list[RenderedMessage] = [
            (answer_blocks(part.pieces), _with_links(part.source)) for part in parts
        ]
        shown[0] = ([*heading, *shown[0][0]], shown[0][1])
        last, text = shown[-1]
        shown[-1] = ([*last, *under], f"{text}\n{own_text(ends)}")
        return shown

    async def _say(self, line: str) -> None:
        await self._show([(own_lines([line]), own_text([line]))])

    async def _show(self, messages: Sequence[RenderedMessage]) -> None:
        """Raises SlackApiError."""
        self._said_at = time.monotonic()
        look, left = self._look, list(messages)
        if self._url:
            left = await responded(self._url, left)
            if left:
                self._url = ""  # it was used as often as it may be, or is too old
        await show_only_to(look.person, left, self._workspace, look.channel, look.thread)


def _with_links(markdown: str) -> str:
    """What Slack shows where it refuses blocks."""
    parts = _LINK.split(markdown)
    texts, links = map(plain_text, parts[::2]), (f"<{url}|{LINK_LABEL}>" for url in parts[1::2])
    return "".join(part for pair in zip(texts, [*links, ""], strict=True) for part in pair)
