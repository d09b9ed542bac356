"""Shows a reply on Discord: one message, more when it gets long, edited as the text comes."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from secrets import token_hex
from typing import Any, Protocol

import discord
import structlog

from bot.config import Effort
from bot.conversation.reply import Reply
from bot.platforms.discord.layout import Draft, Layout, Look
from bot.platforms.discord.messages import own_line, without_own_lines
from bot.platforms.discord.sending import Pace, Whisper, is_passing
from bot.platforms.written import WrittenAnswers, written

log = structlog.get_logger()

UNKNOWN_CHANNEL, UNKNOWN_MESSAGE = 10003, 10008
"""https://docs.discord.com/developers/topics/opcodes-and-status-codes#json"""
AWAY_SECONDS = 1.0
"""In which Discord says that somebody deleted a message, after an edit of it was refused."""


SentMessage = discord.PartialMessage | discord.WebhookMessage
"""What is kept of a message; an interaction's answers can only be edited through its webhook."""


class CannotPost(Exception):
    """Discord lets the bot say nothing here; `refusal` is its word."""

    def __init__(self, refusal: discord.HTTPException) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class TakenAway(Exception):
    """Somebody deleted a message of the answer."""


class Send(Protocol):
    """Sends a message of the answer; `after` is the one before it, None for the first."""

    async def __call__(
        self, after: SentMessage | None, content: str, **options: Any
    ) -> discord.Message: ...


class DiscordView:
    """Shows replies in `messages`, which grow and shrink with the text."""

    def __init__(
        self,
        look: Look,
        send: Send,
        whisper: Whisper,
        pace: Pace,
        written: WrittenAnswers,
        messages: Sequence[discord.Message | discord.PartialMessage] = (),
    ) -> None:
        self.look = look
        self.messages = [_partial(m) for m in messages]
        self._send = send
        self._whisper = whisper
        self._pace = pace
        self._written = written
        self._shown: list[Draft | None] = [None for _ in messages]
        self._layout = Layout(look)
        self._away = asyncio.Event()
        self._gone: set[str] = set()
        """The messages that somebody deleted."""
        self._unseen = False
        """Whether nothing of this answer can or should be shown any more."""

    async def open(self) -> None:
        """See exchange.View."""
        self._begin()
        await self._show_or_tell(self._layout.waiting(), Effort.LOW)

    async def follow(self, reply: Reply) -> None:
        """See exchange.View. Changes at the pace that the channel allows, the last always.

        Returns early where nobody could see the answer. Raises discord.HTTPException while Discord
        is down for long.
        """
        if self._unseen:
            return
        channel = self.messages[0].channel.id if self.messages else 0
        with self._pace.turns(channel, reply) as turns:
            async for _ in reply.updates():
                if self._unseen:
                    break
                if not reply.state.final and (
                    await self._drafts(reply) == self._shown or not await turns.next()
                ):
                    continue
                await self._show_or_tell(await self._drafts(reply), reply.effort)
        self._written.put([str(sent.id) for sent in self.messages], written(reply))

    def shows(self, message: str) -> bool:
        """See exchange.View."""
        return any(str(sent.id) == message for sent in self.messages)

    def message_ids(self) -> list[str]:
        """See exchange.View."""
        return [str(sent.id) for sent in self.messages]

    async def delete(self) -> None:
        """See exchange.View."""
        await self._remove(0)

    def taken_away(self, message: str) -> None:
        """See exchange.View."""
        self._gone.add(message)
        self._unseen = True
        self._away.set()

    async def text(self) -> str:
        """See exchange.View."""
        found: list[str] = []
        for message in self.messages:
            with suppress(discord.NotFound):
                shown = await self._pace.retried(message.fetch)
                found.append(without_own_lines(shown.content))
        return "\n".join(filter(None, found))

    def _begin(self) -> None:
        """What somebody deleted stays away; the answer to come is another one."""
        kept = [at for at, sent in enumerate(self.messages) if str(sent.id) not in self._gone]
        self.messages = [self.messages[at] for at in kept]
        self._shown = [self._shown[at] for at in kept]
        self._gone.clear()
        self._away.clear()
        self._unseen = False

    async def _drafts(self, reply: Reply) -> list[Draft]:
        """The messages as they should be."""
        await self._layout.prepare(reply)
        return self._layout.answer(reply)

    async def _show_or_tell(self, drafts: Sequence[Draft], effort: Effort) -> None:
        """Show the messages; where Discord takes none, tell the asker where and why."""
        try:
            await self._apply(drafts, effort)
        except TakenAway:
            log.info("an answer's message was deleted while it was written")
        except CannotPost as error:
            self._unseen = True
            code, texts = error.refusal.code, self.look.texts
            log.warning("discord refused an answer", code=code, status=error.refusal.status)
            key = "gone" if code == UNKNOWN_CHANNEL else "on_discord"
            reason = texts(f"cannot_post_{key}", code=code)
            told = texts("cannot_post", channel=self.look.channel, reason=reason)
            await self._whisper(own_line(told))

    async def _apply(self, drafts: Sequence[Draft], effort: Effort) -> None:
        for index, draft in enumerate(drafts):
            if index < len(self.messages):
                if draft != self._shown[index]:
                    await self._edit(index, draft, effort)
            else:
                self.messages.append(await self._new(index, draft, effort))
                self._shown.append(None)
            self._shown[index] = draft
            if self._unseen:
                raise TakenAway
        await self._remove(len(drafts))

    async def _new(self, index: int, draft: Draft, effort: Effort) -> SentMessage:
        """A new message, after the one that shows what comes before it."""
        after = self.messages[index - 1] if index else None
        nonce = token_hex(8)  # a message sent again after a lost answer appears once
        options = self._layout.options(draft, effort)

        async def send() -> discord.Message:
            if draft.file is not None:
                options["files"] = draft.files()
            quiet = not self.look.embeds
            return await self._send(
                after, draft.content, nonce=nonce, suppress_embeds=quiet, **options
            )

        try:
            return _partial(await self._pace.retried(send))
        except discord.HTTPException as error:
            if is_passing(error):
                raise
            raise CannotPost(error) from error

    async def _edit(self, index: int, draft: Draft, effort: Effort) -> None:
        before = self._shown[index]
        options = self._layout.options(draft, effort)
        options.setdefault("view", None)
        options.setdefault("embeds", [])

        async def edit() -> object:
            if draft.file is not None or before is None or before.file is not None:
                options["attachments"] = draft.files()
            return await self.messages[index].edit(content=draft.content, **options)

        try:
            await self._pace.retried(edit)
        except discord.HTTPException as error:
            if is_passing(error):
                raise
            if error.code == UNKNOWN_MESSAGE and await self._is_taken_away():
                raise TakenAway from error
            # Gone, too old for one more edit (30046), in a closed thread, not allowed any more: the
            # part is said again in a message that can be edited.
            log.warning("discord refused an edit", code=error.code, status=error.status)
            self.messages[index] = await self._new(index, draft, effort)

    async def _is_taken_away(self) -> bool:
        """Whether somebody deleted a message: Discord's word of it may come after its refusal."""
        with suppress(TimeoutError):
            async with asyncio.timeout(AWAY_SECONDS):
                await self._away.wait()
        return self._away.is_set()

    async def _remove(self, first: int) -> None:
        while len(self.messages) > first:
            message = self.messages.pop()
            self._shown.pop()
            with suppress(discord.NotFound):  # somebody was quicker
                await self._pace.retried(message.delete)


def _partial(message: discord.Message | discord.PartialMessage) -> SentMessage:
    """Enough to edit it, for a thousandth of the memory."""
    if isinstance(message, discord.WebhookMessage):
        return message
    return discord.PartialMessage(channel=message.channel, id=message.id)
