"""What an answer's messages say: in blocks, or as text where Slack refuses blocks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from weakref import WeakKeyDictionary

from bot.conversation.reply import Reply
from bot.conversation.status import (
    calls_line,
    end_lines,
    footer_line,
    receipt_lines,
    status_line,
    waiting_lines,
)
from bot.conversation.texts import Texts
from bot.platforms.buttons import Action, buttons_under
from bot.platforms.markdown.slack import SlackStyle
from bot.platforms.markdown.splitting import Part, Splitter
from bot.platforms.slack.blocks import (
    Block,
    ButtonValue,
    answer_blocks,
    buttons,
    own_lines,
    own_text,
    sources,
    summary,
)
from bot.platforms.slack.limits import PART_LENGTH, PLAIN_LENGTH
from bot.platforms.slack.mrkdwn import Escaped, plain_text
from bot.platforms.slack.tasks import cards, tasks_of
from bot.platforms.written import marked


@dataclass(frozen=True)
class Draft:
    """A message as it should be.

    text: all that is shown where there are no blocks, else what notifications show.
    source: the stretch of the answer that it shows, as the model wrote it.
    above, answer, under: the blocks of tasks, of that, and of own lines and buttons.
    """

    text: str
    source: str = ""
    above: Sequence[Block] = ()
    answer: Sequence[Block] = ()
    under: Sequence[Block] = ()

    @property
    def blocks(self) -> list[Block]:
        return [*self.above, *self.answer, *self.under]

    def looks_like(self, other: "Draft") -> bool:
        """Whether people see the same."""
        return (self.blocks, self.text) == (other.blocks, other.text)


class Layout:
    """Lays an answer out over messages; own lines and buttons stand under the last."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._splitter = Splitter(PART_LENGTH, SlackStyle())
        self._plain_splitter = Splitter(PLAIN_LENGTH, Escaped())
        self._drafts: WeakKeyDictionary[Part, Draft] = WeakKeyDictionary()

    async def prepare(self, begin: int, reply: Reply, *, plain: bool) -> None:
        """Lay out what is new while the event loop runs: then `answer` takes a few ms at most."""
        splitter = self._plain_splitter if plain else self._splitter
        show = partial(self._draft, plain=plain)
        await splitter.prepare(reply.text.strip(), begin, show)

    def answer(
        self, begin: int, reply: Reply, value: ButtonValue, shown: Sequence[str], *, plain: bool
    ) -> list[Draft]:
        """The messages that show the reply's text from `begin` on.

        shown: the timestamps of the messages that these take the place of.
        """
        text = reply.text.strip()
        lines = marked(self._lines(reply, text[begin:]), reply)
        if plain:
            lines.append(self._texts("without_buttons"))
        splitter = self._plain_splitter if plain else self._splitter
        drafts = [self._draft(part, plain=plain) for part in splitter.split(text, begin)]
        last = drafts.pop() if drafts else Draft("" if plain else summary(""))
        if plain:
            said = "\n".join(filter(None, [last.text, own_text(lines)]))
            return [*drafts, replace(last, text=said)]
        call = reply.approval.key if reply.approval else ""
        value = replace(value, earlier=(*value.earlier, *shown[: len(drafts)]), call=call)
        actions = buttons(buttons_under(reply), value, self._texts)
        from_pages = reply.sources if reply.state.final else []
        links = sources(from_pages, lambda links: self._texts("sources", links=links))
        drafts.append(replace(last, under=[*links, *own_lines(lines), *actions]))
        if not begin:
            drafts[0] = replace(drafts[0], above=cards(tasks_of(reply, self._texts)))
        return drafts

    def _draft(self, part: Part, *, plain: bool) -> Draft:
        """A part without anything of the bot's own."""
        draft = self._drafts.get(part)
        if draft is None:
            draft = Draft(plain_text(part.text), part.source)
            if not plain:
                blocks = answer_blocks(part.pieces)
                draft = Draft(summary(part.source), part.source, answer=blocks)
            self._drafts[part] = draft
        return draft

    def own(self, lines: Sequence[str], *, plain: bool) -> list[Draft]:
        """A message of the bot's own lines."""
        return [Draft(own_text(lines), under=[] if plain else own_lines(lines))]

    def waiting(self, line: str, value: ButtonValue, *, plain: bool) -> list[Draft]:
        """The message that stands there until the answer comes."""
        (draft,) = self.own([line], plain=plain)
        stop = buttons([Action.STOP], value, self._texts)
        return [draft if plain else replace(draft, under=[*draft.under, *stop])]

    def _lines(self, reply: Reply, text: str) -> list[str]:
        lines = end_lines(reply, self._texts)
        if reply.state.final:
            called = calls_line(reply, self._texts)
            left = receipt_lines(reply, self._texts)
            return [*lines, *left, called, footer_line(reply, self._texts)]
        waiting = waiting_lines(reply, self._texts)
        return [*lines, *(waiting or ([] if text else [status_line(reply, self._texts)]))]
