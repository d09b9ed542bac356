"""Lines of prose, cut where no code, link, formula or emphasis is broken."""

from collections.abc import Iterator
from functools import partial
from itertools import accumulate, chain

from wcwidth import iter_graphemes

from bot.platforms.markdown.inline import Inline, scan
from bot.platforms.markdown.lines import (
    ZERO_WIDTH_SPACE,
    begins_item,
    blank_lines_end,
    rstrip_end,
)
from bot.platforms.markdown.source import Open, Source
from bot.platforms.markdown.style import Piece

_SENTENCE_ENDS = "。！？…，、；："  # noqa: RUF001 (Chinese, Japanese)


class Prose:
    """Lines up to a blank one, a fence or a table.

    continued: whether the message before has the beginning of its first line.
    marks: emphasis that is open at its beginning.
    guarded: whether its first line would be taken for a fence: a row of signs, too long for one.
    """

    def __init__(
        self,
        source: Source,
        begin: int,
        room: int,
        *,
        continued: bool = False,
        marks: tuple[str, ...] = (),
        guarded: bool = False,
    ) -> None:
        self.source, self.begin, self.continued, self.marks = source, begin, continued, marks
        self._guard = ZERO_WIDTH_SPACE if guarded else ""
        self._room = room - len(self._guard)
        self._lines: list[int] = []
        self._last_with: dict[int, int] = {}
        """The last place that leaves room for so many characters of closing marks."""
        self._item = begin
        self.visited = 0
        self.end, self.whole = self._read()
        self.size = source.size(begin, self.end) + len(self._guard)

    def _read(self) -> tuple[int, bool]:
        source, size_of = self.source, self.source.style.size
        text, end, room = source.text, source.end, self._room
        at, size, visited = self.begin, 0, 0
        while True:
            stop = min(end, at + max(0, room - size) + 1)
            newline = text.find("\n", at, stop)
            line_end = stop if newline < 0 else newline
            visited += line_end - at + 1
            following = line_end + 1
            with_next = size + size_of(text, at, min(following, end))
            if newline >= 0 and with_next <= room and text[following].isalpha():
                # Most lines: nothing but a letter is before what may be a block of its own.
                self._lines.append(following)
                at, size = following, with_next
                continue
            self.visited = visited
            if newline < 0 and stop < end:
                return at, False
            if size + size_of(text, at, rstrip_end(text, at, line_end)) > room:
                return at, False
            if newline < 0:
                return end, True
            after = blank_lines_end(text, following, end)
            if after > following or source.fence_at(following) or source.table_at(following):
                self.visited += after - following
                return after, True
            if begins_item(text, following):
                self._item = following
            self._lines.append(following)
            at, size = following, with_next

    def cut(self, least: int) -> Open | None:
        """Where a part ends in it, of which `least` is shown if that is possible.

        None where it must not end here.
        """
        source = self.source
        if (header := self._header_of_a_table()) is not None:
            return Open(header) if header > self.begin else None
        last = source.furthest(self.begin, self._room)
        low = min(max(source.furthest(self.begin, least), self.begin + 1), last)
        at = self._item
        found = scan(source.text, at, last, self.marks if at == self.begin else ())
        self.visited += found.visited
        lines = [line for line in reversed(self._lines) if low <= line <= last]
        words = partial(word_borders, source.text, low, last)
        self.visited += last - low

        def free(place: int) -> bool:
            return place <= at or not (found.in_atom(place) or found.marks_at(place))

        def kept(place: int) -> bool:
            return not found.in_atom(place) and self._open_at(place, found) is not None

        for fits in (free, kept):
            for place in filter(fits, chain(lines, words())):
                return self._open_at(place, found) or Open(place)
        graphemes = list(grapheme_borders(source.text, self.begin, low, last))
        for place in chain(filter(kept, graphemes), words(), graphemes):
            if (opened := self._open_at(place, found)) is not None:
                return opened
        return Open(last)

    def _header_of_a_table(self) -> int | None:
        """Where the line begins that would be a table's header if the next one were its rule."""
        source = self.source
        header = ([self.begin, *self._lines])[-2:-1]
        if not source.tables or not header or "|" not in source.line(header[0]):
            return None
        rule = source.text[self.end : self.end + max(1, self._room)]
        is_rule = not rule.partition("\n")[0].strip("|:- \t")
        return header[0] if is_rule else None

    def _open_at(self, place: int, found: Inline) -> Open | None:
        """What is open at a place; None without room to close it."""
        marks = found.marks_at(place) if place > self._item else ()
        if not marks:
            return Open(place)
        text = self.source.text
        shown = rstrip_end(text, self.begin, place)
        if text[shown - 1] == marks[-1][0] or text[place] == marks[-1][0]:
            return None  # two marks would be one
        closing = sum(map(len, marks))
        if closing not in self._last_with:
            last = self.source.furthest(self.begin, self._room - closing)
            self._last_with[closing] = last
        return Open(place, marks=marks) if shown <= self._last_with[closing] else None

    def shown(self, stop: Open) -> list[Piece]:
        """What is sent of it up to the part's end, or to its own."""
        end = self.end if self.whole else stop.at
        shown = self.source.style.prose(
            self.source.text[self.begin : end], continued=self.continued
        )
        if not self.whole and stop.marks:
            shown = shown.rstrip() + "".join(reversed(stop.marks))
        return [self._guard + shown]


def word_borders(text: str, low: int, last: int) -> Iterator[int]:
    """The places from `last` down to `low` where a word ends or begins."""
    near = text[low - 1 : last + 1]
    if near.isascii() and len(near.split(maxsplit=1)) == 1 and not near[-1].isspace():
        return  # nothing but signs: most often, and what takes longest
    for place in range(last, low - 1, -1):
        before = text[place - 1]
        if before.isspace() or before in _SENTENCE_ENDS or text[place].isspace():
            yield place


def grapheme_borders(text: str, begin: int, low: int, last: int) -> Iterator[int]:
    """The places from `last` down to `low` between two characters as people see them.

    Read from the border `begin` on. Whether `last` is one shows in the character after it.
    """
    borders = accumulate(map(len, iter_graphemes(text[begin : last + 1])), initial=begin)
    yield from sorted((border for border in borders if low <= border <= last), reverse=True)
