"""Discord's messages as the core has them: a question and what was said before it."""

from __future__ import annotations  # some of discord.py's types exist only for checkers

import re
from collections.abc import Sequence
from dataclasses import replace

import discord

from bot.conversation.events import Message
from bot.conversation.in_effect import InEffect
from bot.platforms.attachments import Attachments, File, MessageWithFiles, named_only
from bot.platforms.discord.channel_history import may_read
from bot.platforms.discord.messages import (
    ANSWER_FILE,
    author_of,
    is_post,
    may_be_foreign,
    replied_to,
    resolved_reply,
    rights_in,
    without_own_lines,
)
from bot.platforms.discord.words import words
from bot.platforms.quoting import quoted
from bot.platforms.written import WrittenAnswers

LINKS = 3
"""Messages that a question links to and that are read for it."""
REMINDER = 200
"""Characters that are repeated of a message that stands further up."""

_LINK = re.compile(r"https://(?:\w+\.)?discord(?:app)?\.com/channels/(\d+|@me)/(\d+)/(\d+)")


class Reader:
    """Reads messages as the bot `me`."""

    def __init__(self, attachments: Attachments, written: WrittenAnswers) -> None:
        self._attachments = attachments
        self._written = written

    async def read(
        self,
        question: discord.Message,
        history: Sequence[discord.Message],
        me: discord.ClientUser,
        here: InEffect,
    ) -> list[Message]:
        """`history`, oldest first, and the question as the last. Raises discord.HTTPException."""
        unread_messages: list[MessageWithFiles] = []
        seen: list[int] = []
        for message in history:
            unread_messages.append(_unread(message, resolved_reply(message), seen, me))
            seen.append(message.id)
        replied = await replied_to(question)
        if replied is not None and replied.id <= int(here.conversation_start):
            replied = None  # it was forgotten
        newest = _unread(question, replied, seen, me)
        for linked in await _linked(question):
            if linked.id not in seen:
                newest = _with_quotation(
                    newest, f"linked message of {_name(linked, me)}", linked, me
                )
        messages = await self._attachments.fill([*unread_messages, newest], here)
        whole = [_with_whole_answer(message) for message in messages]
        return [*map(self._as_written, whole[:-1]), whole[-1]]

    def read_above(self, above: Sequence[discord.Message], me: discord.ClientUser) -> list[Message]:
        """What stands above the conversation, oldest first; its files are only named."""
        unread_messages = []
        for message in above:
            unread = _unread(message, None, (), me)
            if replied := resolved_reply(message):
                mark = f"in reply to {_name(replied, me)}"
                unread = _after(unread, quoted(mark, _reminder(replied, me)) or f"[{mark}]")
            unread_messages.append(unread)
        return [self._as_written(message) for message in named_only(unread_messages)]

    def _as_written(self, message: Message) -> Message:
        """An answer of the bot's as the model wrote it: not as it is split and shown."""
        known = self._written.get(message.id) if message.author.is_bot else None
        if known is None:
            return message
        return replace(message, text=known.text, foreign=known.foreign)


def _unread(
    message: discord.Message,
    replied: discord.Message | None,
    seen: Sequence[int],
    me: discord.ClientUser,
) -> MessageWithFiles:
    """`seen` are the ids of the messages before it, `replied` is the one that it replies to."""
    author = author_of(message.author, rights_in(message.channel, message.author), me)
    text = _text(message, me)
    if title := _title_of_post(message):
        text = f"[post: {title}]\n\n{text}".strip()
    foreign = _has_others_words(message, me)
    unread = MessageWithFiles(
        Message(str(message.id), author, text, foreign=foreign), files_of(message, me)
    )
    if replied is None or author.is_bot or seen[-1:] == [replied.id]:
        return unread
    mark = f"in reply to {_name(replied, me)}"
    if replied.id in seen:
        return _after(unread, quoted(mark, _reminder(replied, me)))
    return _with_quotation(unread, mark, replied, me)


def _with_quotation(
    unread: MessageWithFiles, mark: str, message: discord.Message, me: discord.ClientUser
) -> MessageWithFiles:
    """The quoted message after the message's words, and with its files."""
    quotation = quoted(mark, _text(message, me)) or f"[{mark}]"
    written = _after(unread, quotation).message
    if _has_others_words(message, me) or (message.author.bot and message.author.id != me.id):
        written = replace(written, foreign=True)
    return MessageWithFiles(written, [*files_of(message, me), *unread.files])


def _has_others_words(message: discord.Message, me: discord.ClientUser) -> bool:
    """Whether there is more than its author typed: what was forwarded, or a page's preview.

    An answer of the bot's may be made from such.
    """
    if message.author.id == me.id:
        return may_be_foreign(message.content)
    return bool(message.message_snapshots or message.embeds)


def _after(unread: MessageWithFiles, quotation: str) -> MessageWithFiles:
    text = f"{quotation}\n\n{unread.message.text}".strip()
    return replace(unread, message=replace(unread.message, text=text))


def _text(message: discord.Message, me: discord.ClientUser) -> str:
    if message.author.id == me.id:
        return without_own_lines(message.content)
    return words(message, me)


def _reminder(message: discord.Message, me: discord.ClientUser) -> str:
    text = _text(message, me)
    return text if len(text) <= REMINDER else f"{text[:REMINDER]}…"


def _name(message: discord.Message, me: discord.ClientUser) -> str:
    return "yours" if message.author.id == me.id else message.author.display_name


def _title_of_post(message: discord.Message) -> str | None:
    """The title of the forum post that the message begins."""
    thread = message.channel
    begins = is_post(thread) and thread.id == message.id
    return thread.name if begins and isinstance(thread, discord.Thread) else None


def files_of(message: discord.Message, me: discord.ClientUser) -> list[File]:
    """What is attached to the message and to what it forwards; of the bot's, long answers."""
    attached = list(message.attachments)
    if message.author.id == me.id:
        attached = [file for file in attached if file.filename == ANSWER_FILE]
    for snapshot in message.message_snapshots:
        attached += snapshot.attachments
    return [File(str(f.id), f.filename, f.url, f.content_type or "") for f in attached]


def _with_whole_answer(message: Message) -> Message:
    """An answer of the bot's that was sent as a file is the file's text."""
    if not message.author.is_bot:
        return message
    text = next((a.text for a in message.attachments if a.text is not None), message.text)
    return replace(message, text=text, attachments=(), notices=())


async def _linked(question: discord.Message) -> list[discord.Message]:
    """The messages that the question's text links to, as far as its author may read them."""
    found: list[discord.Message] = []
    for server, channel, id in dict.fromkeys(_LINK.findall(question.content)):
        if len(found) == LINKS:
            break
        place = _readable(question, server, int(channel))
        if place is not None:
            try:
                found.append(await place.fetch_message(int(id)))
            except discord.HTTPException:  # gone, or the bot may not read it
                continue
    return found


def _readable(
    question: discord.Message, server: str, channel: int
) -> discord.abc.Messageable | None:
    """The channel, where the question's author may read what was said in it."""
    here = question.channel
    if here.id == channel:
        return here
    if question.guild is None or server != str(question.guild.id):
        return None
    place = question.guild.get_channel_or_thread(channel)
    if not isinstance(place, discord.abc.Messageable | discord.Thread):
        return None
    return place if may_read(place, question.author) else None
