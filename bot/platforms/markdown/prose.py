"""Lines of prose, cut where no code, link, formula or emphasis is broken."""

import re
from collections.abc import Iterator
from itertools import accumulate, chain, islice

from wcwidth import iter_graphemes

from bot.platforms.markdown.allowance import Allowance
from bot.platforms.markdown.inline import Inline, scan
from bot.platforms.markdown.lines import BLANK_LINES, ZERO_WIDTH_SPACE, rstrip_end, white_space_end
from bot.platforms.markdown.source import Open, Source
from bot.platforms.markdown.style import Piece

MOST_CANDIDATES = 64
"""Lines that look like a fence or a table and are none, after which a text is prose."""
MOST_TRIED = 32
"""Borders that are tried for room for closing marks."""
NEAR = 256
"""Characters before the end in which its paragraph's or item's beginning is looked for first."""
_WORD_BORDER = re.compile(
    r"(?<=[\s。！？…，、；：])|(?=\s)"  # noqa: RUF001 (Chinese, Japanese)
)
_MAY_END_PROSE = re.compile(
    r"\n(?=(?P<fence>(?:[ \t>]|(?:[-*+]|[0-9]{1,9}[.)])(?=[ \t]))*+(?:```|~~~))"
    r"|(?P<table>[^\n|]*+\|[^\n]*+\n[ \t|:]*+-[|:\- \t]*+\n))"
)
"""Before what may be a fence, or a table's header with its rule."""
_BEGINS_BLOCK = re.compile(
    r"(?P<before>\n)(?:[ \t]{0,15}(?:#|>|[-+*][ \t]|[0-9]{1,9}[.)][ \t])|\s*\n)"
)


class Prose:
    """Lines up to a fence or a table: paragraphs, lists, quotes, headings.

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
        self._last_with: dict[int, int] = {}
        """The last place that leaves room for so many characters of closing marks."""
        self._item = begin
        self._fits = self._stop = begin
        """Up to where there is room, and where the white space after that ends: it is not sent."""
        self.end, self.whole = self._read()
        self.visited = max(self.end, self._stop) - begin
        self.size = source.size(begin, self.end) + len(self._guard) if self.whole else 0

    def _read(self) -> tuple[int, bool]:
        source, begin, text = self.source, self.begin, self.source.text
        until = min(source.end, begin + max(0, self._room) + 1)
        end = self._border(until)
        shown = rstrip_end(text, begin, source.end if end is None else end)
        if (end or until == source.end) and source.size(begin, shown) <= self._room:
            return end or source.end, True
        self._fits = source.furthest(begin, self._room)
        self._stop = white_space_end(text, self._fits, source.end)
        last = text.rfind("\n", begin, self._stop) + 1
        return (source.end, True) if self._stop >= source.end else (max(begin, last), False)

    def _border(self, until: int) -> int | None:
        """The first line before `until` that a fence or a table begins with."""
        source, begin, text = self.source, self.begin, self.source.text
        if not (source.fences or source.tables):
            return None
        found = islice(_MAY_END_PROSE.finditer(text, begin, until), MOST_CANDIDATES)
        return next((at.end() for at in found if self._is_border(at)), None)

    def _is_border(self, found: re.Match[str]) -> bool:
        """Whether a fence or a table begins after a line, and what tells so has room.

        Were it looked for further on, the part's end would move when it is written.
        """
        line, told = found.end(), max(found.end("fence"), found.end("table"))
        if self.source.size(self.begin, told - 1) > self._room:
            return False
        return bool(self.source.fence_at(line)) or self._begins_table(line)

    def _begins_table(self, at: int) -> bool:
        """Whether a table begins with a line, which is not a paragraph's where it has a letter."""
        text = self.source.text
        if text[at].isalpha() and text[text.rfind("\n", 0, at - 1) + 1 : at].strip():
            return False
        return self.source.table_at(at) is not None

    def paragraph(self, least: int) -> int | None:
        """The last place where a paragraph begins, after at least `least`."""
        low = max(self.source.furthest(self.begin, least), self.begin + 1)
        ends = BLANK_LINES.finditer(self.source.text, max(self.begin, low - 2), self._stop)
        return max((found.end() for found in ends if found.end() >= low), default=None)

    def cut(self, least: int) -> Open | None:
        """Where a part ends in it, of which `least` is shown if that is possible.

        None where it must not end here.
        """
        source, text, last = self.source, self.source.text, self._fits
        if (paragraph := self.paragraph(least)) is not None:
            return Open(paragraph)
        if (header := self._header_of_a_table()) is not None:
            return Open(header) if header > self.begin else None
        low = min(max(source.furthest(self.begin, least), self.begin + 1), last)
        at = self._item = self._last_item()
        found = scan(text, at, last, self.marks if at == self.begin else ())
        self.visited += found.visited
        self.visited += last - low
        outside = found.outside_atoms(low, last)

        def borders() -> Iterator[int]:
            places = chain(line_borders(text, low, last), word_borders(text, low, last))
            return (place for place in places if outside[place - low])

        free = (place for place in borders() if place <= at or not found.marks_at(place))
        if (place := next(free, None)) is not None:
            return Open(place)
        graphemes = grapheme_borders(text, self.begin, low, last)
        whole = (place for place in graphemes if outside[place - low])
        for places in (borders(), whole, word_borders(text, low, last), iter(graphemes)):
            tried = (self._open_at(place, found) for place in islice(places, MOST_TRIED))
            if (opened := next(filter(None, tried), None)) is not None:
                return opened
        return Open(last)

    def _last_item(self) -> int:
        """Where the last paragraph, heading, quote or item of a list before the end begins."""
        low, step = self._fits, NEAR
        while low > self.begin:
            low, step = max(self.begin, self._fits - step), 4 * step
            found = [*_BEGINS_BLOCK.finditer(self.source.text, low, self._fits)]
            if found:
                return found[-1].end("before")
        return self.begin

    def _header_of_a_table(self) -> int | None:
        """Where the line begins that would be a table's header if the next one were its rule.

        Of that, only as much is read as has room, and one character more.
        """
        source, text = self.source, self.source.text
        if not source.tables or self.end <= self.begin:
            return None
        header = max(self.begin, text.rfind("\n", self.begin, self.end - 1) + 1)
        if "|" not in source.line(header):
            return None
        may_be_a_rule = not text[self.end : self._stop + 1].strip("|:- \t\n")
        return header if may_be_a_rule else None

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

    def shown(self, stop: Open, allowance: Allowance) -> list[Piece]:
        """What is sent of it up to the part's end, or to its own."""
        end = self.end if self.whole else stop.at
        shown = self.source.style.prose(
            self.source.text[self.begin : end], allowance, continued=self.continued
        )
        if not self.whole and stop.marks:
            shown = shown.rstrip() + "".join(reversed(stop.marks))
        return [self._guard + shown]


def line_borders(text: str, low: int, last: int) -> Iterator[int]:
    """The places from `last` down to `low` where a line begins."""
    at = text.rfind("\n", low - 1, last)
    while at >= 0:
        yield at + 1
        at = text.rfind("\n", low - 1, at)


def word_borders(text: str, low: int, last: int) -> Iterator[int]:
    """The places from `last` down to `low` where a word ends or begins."""
    while last >= low:
        begin = max(low, last - 63)
        found = [border.start() for border in _WORD_BORDER.finditer(text, begin, last + 1)]
        yield from (place for place in reversed(found) if place <= last)
        last = begin - 1


def grapheme_borders(text: str, begin: int, low: int, last: int) -> list[int]:
    """The places from `last` down to `low` between two characters as people see them.

    Read from the border `begin` on. Whether `last` is one shows in the character after it.
    """
    near = text[low - 1 : last + 1]
    if near.isascii() and "\r" not in near:
        return [*range(last, low - 1, -1)]
    borders = [*accumulate(map(len, iter_graphemes(text[begin : last + 1])), initial=begin)]
    return [border for border in reversed(borders) if low <= border <= last]
