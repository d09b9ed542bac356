"""What an answer's messages say on Discord: the text, the bot's own lines and the buttons."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import discord

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
from bot.platforms.discord.messages import ANSWER_FILE, own_line
from bot.platforms.discord.sources import sources_line
from bot.platforms.markdown.discord import DiscordStyle
from bot.platforms.markdown.splitting import Splitter
from bot.platforms.written import marked

OWN_LINES_LENGTH = 400
"""Characters kept free in each message for the bot's own lines."""


@dataclass(frozen=True)
class Draft:
    """A message of an answer as it should be. `file` is the whole answer's text.

    call: the key of the call that the buttons decide on.
    """

    content: str
    buttons: tuple[Action, ...] = ()
    reasoning: str = ""
    file: str | None = None
    call: str = ""

    def files(self) -> list[discord.File]:
        """What to upload with it; each can be sent once."""
        if self.file is None:
            return []
        return [discord.File(io.BytesIO(self.file.encode()), ANSWER_FILE)]


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


class Layout:
    """Lays an answer out over messages; own lines and buttons stand under the last."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._splitter = Splitter(CONTENT_LENGTH - OWN_LINES_LENGTH, DiscordStyle())

    def waiting(self) -> list[Draft]:
        """The message that stands there until the answer comes."""
        return [Draft(_content("", [self._look.texts("thinking")]))]

    async def prepare(self, reply: Reply) -> None:
        """Lay out what is new while the event loop runs: then `answer` takes a few ms at most."""
        await self._splitter.prepare(reply.text.strip(), 0, lambda part: part.text)

    def answer(self, reply: Reply) -> list[Draft]:
        """The messages as they should be; the bot's own lines stand under the last."""
        look, text = self._look, reply.text.strip()
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
        contents = _with_lines(sources or [""], lines, whole=whole)
        if heading:
            contents[0] = f"{heading}\n{contents[0]}"
        drafts = [Draft(content) for content in contents]
        buttons = buttons_under(reply, again=look.again, private=look.private)
        call = reply.approval.key if reply.approval else ""
        drafts[-1] = Draft(contents[-1], buttons, file=file, call=call)
        drafts[0] = replace(drafts[0], reasoning=reasoning)
        return drafts

    def options(self, draft: Draft, effort: Effort) -> dict[str, Any]:
        """Nobody but the asker can be pinged, whatever the model writes."""
        look = self._look
        asker = discord.Object(look.asker)
        options: dict[str, Any] = {
            "allowed_mentions": discord.AllowedMentions(
                everyone=False, roles=False, users=[asker], replied_user=False
            )
        }
        view = view_of(draft.buttons, look.asker, look.question, effort, look.texts, draft.call)
        if view is not None:
            options["view"] = view
        if draft.reasoning:
            hidden = draft.reasoning[-(EMBED_LENGTH - 100) :].replace("|", "\u2502")
            options["embeds"] = [
                discord.Embed(title=look.texts("reasoning_title"), description=f"||{hidden}||")
            ]
        return options


def _with_lines(texts: Sequence[str], lines: Sequence[str], *, whole: bool) -> list[str]:
    """The contents with lines of the bot's own under the last text.

    whole: whether none may be left out; where they have no room there, a message has them.
    """
    *full, last = texts
    content = _content(last, lines)
    if not whole or all(own_line(line) in content for line in lines if line):
        return [*full, content]
    return [*full, last, _content("", lines)]


def _content(text: str, lines: Sequence[str]) -> str:
    """A message's content with lines of the bot's own under the text."""
    own = _within(CONTENT_LENGTH - OWN_LINES_LENGTH // 2 - len(text) - 1, lines)
    return "\n".join(filter(None, [text, own])) or own_line("…")


def _within(room: int, lines: Sequence[str]) -> str:
    """As many whole lines of the bot's own as have room; the last one, the footer, stays."""
    shown = [own_line(line) for line in lines if line]
    while len(shown) > 1 and len("\n".join(shown)) > room:
        del shown[-2]
    return "\n".join(shown)[:room]
