"""How a reply looks on Discord: one message, more when it gets long, edited as the text comes."""

import asyncio
import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Any, Protocol

import discord
import structlog

from bot.config import Effort
from bot.conversation.reply import Reply
from bot.conversation.status import (
    calls_line,
    end_lines,
    footer_line,
    receipt_lines,
    waiting_lines,
)
from bot.conversation.texts import Texts
from bot.platforms.buttons import Action, buttons_under
from bot.platforms.discord.buttons import view_of
from bot.platforms.discord.limits import CONTENT_LENGTH, EMBED_LENGTH
from bot.platforms.discord.messages import ANSWER_FILE, own_line, without_own_lines
from bot.platforms.discord.sending import Pace, Whisper, is_passing
from bot.platforms.discord.sources import sources_line
from bot.platforms.markdown.discord import DiscordStyle
from bot.platforms.markdown.splitting import Splitter
from bot.platforms.written import WrittenAnswers, marked, written

log = structlog.get_logger()

OWN_LINES_LENGTH = 400
"""Characters kept free in each message for the bot's own lines."""
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


@dataclass(frozen=True)
class Part:
    """One message of an answer. `file` is the whole answer's text.

    call: the key of the call that the buttons decide on.
    """

    content: str
    buttons: tuple[Action, ...] = ()
    reasoning: str = ""
    file: str | None = None
    call: str = ""


@dataclass(frozen=True)
class Look:
    """What doesn't change while an answer comes.

    asker, question: ids of the person and of the message they wrote.
    channel: the name of the channel or thread that it is answered in.
    heading: one of the bot's own lines above the text; "" for none.
    again: whether the answer can be made again.
    private: whether only the asker sees it.
    embeds: whether reasoning may be shown; where not, Discord is told to show no embeds at all.
    file_above: characters above which the answer becomes a file.
    """

    texts: Texts
    asker: int
    question: int
    channel: str = ""
    heading: str = ""
    again: bool = True
    private: bool = False
    embeds: bool = True
    file_above: int | None = None


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
        self._shown: list[Part | None] = [None for _ in messages]
        self._splitter = Splitter(CONTENT_LENGTH - OWN_LINES_LENGTH, DiscordStyle())
        self._away = asyncio.Event()
        self._gone: set[str] = set()
        """The messages that somebody deleted."""
        self._unseen = False
        """Whether nothing of this answer can or should be shown any more."""

    async def open(self) -> None:
        """See exchange.View."""
        self._begin()
        await self._shown_or_told(
            [Part(self._content("", [self.look.texts("thinking")]))], Effort.LOW
        )

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
                if not reply.state.final:
                    if self.parts(reply) == self._shown:
                        continue
                    await turns.next()
                await self._shown_or_told(self.parts(reply), reply.effort)
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

    async def _shown_or_told(self, parts: Sequence[Part], effort: Effort) -> None:
        """Show the parts; where Discord takes none, tell the asker where and why."""
        try:
            await self._apply(parts, effort)
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

    def parts(self, reply: Reply) -> list[Part]:
        """The messages as they should be; the bot's own lines stand under the last."""
        look, text = self.look, reply.text.strip()
        lines = end_lines(reply, look.texts)
        sources = [part.text for part in self._splitter.split(text)]
        file = None
        if look.file_above is not None and len(text) > look.file_above:
            del sources[1:]
            lines.insert(0, look.texts("answer_in_file" if reply.state.final else "thinking"))
            file = text if reply.state.final else None
        if reply.state.final:
            lines += [
                sources_line(reply, look.texts),
                *receipt_lines(reply, look.texts),
                calls_line(reply, look.texts),
                footer_line(reply, look.texts),
            ]
        else:
            lines += waiting_lines(reply, look.texts)
        reasoning = reply.reasoning if reply.show_reasoning and look.embeds else ""
        lines, (heading,) = marked(lines, reply), marked([look.heading], reply)
        heading = own_line(heading)[: OWN_LINES_LENGTH // 2 - 1]
        whole = bool(reply.approval or reply.receipt)
        contents = self._with_lines(sources or [""], lines, whole=whole)
        if heading:
            contents[0] = f"{heading}\n{contents[0]}"
        parts = [Part(content) for content in contents]
        buttons = buttons_under(reply, again=look.again, private=look.private)
        call = reply.approval.key if reply.approval else ""
        parts[-1] = Part(contents[-1], buttons, file=file, call=call)
        parts[0] = replace(parts[0], reasoning=reasoning)
        return parts

    def _with_lines(self, texts: Sequence[str], lines: Sequence[str], *, whole: bool) -> list[str]:
        """The contents with lines of the bot's own under the last text.

        whole: whether none may be left out; where they have no room there, a message has them.
        """
        *full, last = texts
        content = self._content(last, lines)
        if not whole or all(own_line(line) in content for line in lines if line):
            return [*full, content]
        return [*full, last, self._content("", lines)]

    def _content(self, text: str, lines: Sequence[str]) -> str:
        """A message's content with lines of the bot's own under the text."""
        own = _within(CONTENT_LENGTH - OWN_LINES_LENGTH // 2 - len(text) - 1, lines)
        return "\n".join(filter(None, [text, own])) or own_line("…")

    async def _apply(self, parts: Sequence[Part], effort: Effort) -> None:
        for index, part in enumerate(parts):
            if index < len(self.messages):
                if part != self._shown[index]:
                    await self._edit(index, part, effort)
            else:
                self.messages.append(await self._new(index, part, effort))
                self._shown.append(None)
            self._shown[index] = part
            if self._unseen:
                raise TakenAway
        await self._remove(len(parts))

    async def _new(self, index: int, part: Part, effort: Effort) -> SentMessage:
        """A message with a part, after the one that shows the part before."""
        after = self.messages[index - 1] if index else None
        nonce = token_hex(8)  # a message sent again after a lost answer appears once
        options = self.options(part, effort)

        async def send() -> discord.Message:
            if part.file is not None:
                options["files"] = [_file(part.file)]
            quiet = not self.look.embeds
            return await self._send(
                after, part.content, nonce=nonce, suppress_embeds=quiet, **options
            )

        try:
            return _partial(await self._pace.retried(send))
        except discord.HTTPException as error:
            if is_passing(error):
                raise
            raise CannotPost(error) from error

    async def _edit(self, index: int, part: Part, effort: Effort) -> None:
        before = self._shown[index]
        options = self.options(part, effort)
        options.setdefault("view", None)
        options.setdefault("embeds", [])

        async def edit() -> object:
            if part.file is not None:
                options["attachments"] = [_file(part.file)]
            elif before is None or before.file is not None:
                options["attachments"] = []
            return await self.messages[index].edit(content=part.content, **options)

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
            self.messages[index] = await self._new(index, part, effort)

    async def _is_taken_away(self) -> bool:
        """Whether somebody deleted a message: Discord's word of it may come after its refusal."""
        with suppress(TimeoutError):
            async with asyncio.timeout(AWAY_SECONDS):
                await self._away.wait()
        return self._away.is_set()

    def options(self, part: Part, effort: Effort) -> dict[str, Any]:
        """Nobody but the asker can be pinged, whatever the model writes."""
        look = self.look
        asker = discord.Object(look.asker)
        options: dict[str, Any] = {
            "allowed_mentions": discord.AllowedMentions(
                everyone=False, roles=False, users=[asker], replied_user=False
            )
        }
        view = view_of(part.buttons, look.asker, look.question, effort, look.texts, part.call)
        if view is not None:
            options["view"] = view
        if part.reasoning:
            hidden = part.reasoning[-(EMBED_LENGTH - 100) :].replace("|", "\u2502")
            options["embeds"] = [
                discord.Embed(title=look.texts("reasoning_title"), description=f"||{hidden}||")
            ]
        return options

    async def _remove(self, first: int) -> None:
        while len(self.messages) > first:
            message = self.messages.pop()
            self._shown.pop()
            with suppress(discord.NotFound):  # somebody was quicker
                await self._pace.retried(message.delete)


def _within(room: int, lines: Sequence[str]) -> str:
    """As many whole lines of the bot's own as have room; the last one, the footer, stays."""
    shown = [own_line(line) for line in lines if line]
    while len(shown) > 1 and len("\n".join(shown)) > room:
        del shown[-2]
    return "\n".join(shown)[:room]


def _partial(message: discord.Message | discord.PartialMessage) -> SentMessage:
    """Enough to edit it, for a thousandth of the memory."""
    if isinstance(message, discord.WebhookMessage):
        return message
    return discord.PartialMessage(channel=message.channel, id=message.id)


def _file(text: str) -> discord.File:
    return discord.File(io.BytesIO(text.encode()), ANSWER_FILE)
