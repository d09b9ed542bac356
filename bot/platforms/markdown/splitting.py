"""A long answer as several messages, each of them whole Markdown."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial

from bot.platforms.markdown.allowance import Allowance
from bot.platforms.markdown.code import LONGEST_LANGUAGE, Code
from bot.platforms.markdown.lines import ZERO_WIDTH_SPACE, Fence, begins_block, fence_open_at
from bot.platforms.markdown.prose import Prose
from bot.platforms.markdown.rows import Rows
from bot.platforms.markdown.source import Open, Source
from bot.platforms.markdown.style import AsWritten, Piece, Style
from bot.platforms.markdown.tables import row_of

MIN_LIMIT = 32  # below it a closed and reopened fence leaves no room for code
CHARACTERS_FOR_A_FRAME = 100
FEW_FRAMES = 16
"""A part has at least so many fences and tables, and one for so many of its characters. With these
it ends before the next one in its second half; more of them in its first half are noise, and shown
as written."""
FRAMES_FOR_A_TABLE = 2
"""A table takes longer to read than a fence."""

Block = Prose | Code | Rows
"""What a part is made of. `begin`, `end`: where it and the next one begin; `whole`: whether there
is room for all of it; `size`: of what is sent of it; `visited`: characters that were looked at."""


class Part:
    """One message.

    source: the stretch of the answer that it shows. The sources of all parts, joined, are the
        answer.
    """

    def __init__(self, source: str, pieces: Callable[[], tuple[Piece, ...]]) -> None:
        self.source = source
        self._pieces = pieces

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """What to send, made when it is asked for."""
        return self._pieces()

    @property
    def text(self) -> str:
        """What to send where tables are text."""
        return "".join(piece for piece in self.pieces if isinstance(piece, str))


class Splitter:
    """The messages of a growing answer, none over `limit` as `style` counts it.

    A part ends at the best border in the second half of its room: a paragraph's, else a line's,
    else a word's outside links, formulas, inline code, emphasis and spoilers, else within these.
    What is open there is closed, and opened again in the next part: a code fence in its language
    and quote, emphasis, a table with its header. Only what leaves no place, like a link longer
    than half the room, is cut within. Text where a fence's language stands is code if it is too
    long for a language.

    As the text grows, only the last part changes; each `split` reads no more than that part and
    what is new. Where a part ends depends only on what fits in it, on the white space after that,
    and on the character after that: so the parts of the whole answer are those of its updates,
    unless a table's line is longer than half a part. Text of only white space has no parts.

    visited: characters that were looked at so far, for the tests of its pace.
    """

    def __init__(self, limit: int, style: Style | None = None) -> None:
        """Raises ValueError for a limit under `MIN_LIMIT`."""
        if limit < MIN_LIMIT:
            raise ValueError(f"limit is {limit}: a part needs at least {MIN_LIMIT} characters")
        self.visited = 0
        self._limit = limit
        self._style = style or AsWritten()
        self._parts: list[Part] = []
        self._last: Part | None = None
        """The one that may still change."""
        self._open = Open()
        self._text = self._before = ""
        """What was read, and what of it is before the last part."""
        self._begin = 0

    def split(self, text: str, begin: int = 0) -> list[Part]:
        """The parts of the answer so far, from `begin` on: what is before that stands elsewhere.

        Another answer than the last one begins again.
        """
        for _ in self._read(text, begin):
            pass
        return [*self._parts, self._last] if self._last else [*self._parts]

    async def prepare(self, text: str, begin: int, show: Callable[[Part], object]) -> None:
        """Split an answer, of which much may be new, and let the event loop run after each part.

        show: makes what is sent of a part, and keeps it.
        """
        for part in self._read(text, begin):
            show(part)
            await asyncio.sleep(0)

    def _read(self, text: str, begin: int) -> Iterator[Part]:
        """The parts that do not change any more, as they are found."""
        if (text, begin) == (self._text, self._begin):
            return
        if begin != self._begin or not text.startswith(self._before):
            self._parts, self._open = [], Open(begin, self._fence_at(text, begin))
            self._before, self._begin = text[:begin], begin
        self._text, self._last = "", None
        end = len(text.rstrip())
        source = Source(text, end, self._limit, self._style, self._style.tables)
        while self._open.at < end:
            reading = _Reading(source, self._open)
            stop = reading.read()
            self.visited += reading.visited
            begin = self._open.at
            if stop.at >= end:
                self._last = Part(text[begin:], partial(reading.pieces, stop))
                break
            part = Part(text[begin : stop.at], partial(reading.pieces, stop))
            self._parts.append(part)
            self._open, self._before = stop, text[: stop.at]
            yield part
        self._text = text

    def _fence_at(self, text: str, place: int) -> Fence | None:
        """The fence that is open at a place, where a part has room for it."""
        fence, most = fence_open_at(text, place), self._limit // 8
        if fence is None or len(fence.marker) > most:
            return None
        return fence._replace(
            prefix=fence.prefix if len(fence.prefix) <= most else "",
            language=fence.language if len(fence.language) <= min(LONGEST_LANGUAGE, most) else "",
        )


def split_markdown(text: str, limit: int, style: Style | None = None) -> list[Part]:
    """The messages of an answer that is whole. Raises ValueError; see Splitter."""
    return Splitter(limit, style).split(text)


class _Reading:
    """One part, read block by block until one has no room."""

    def __init__(self, source: Source, opened: Open) -> None:
        self.visited = 0
        self._source, self._opened = source, opened
        self._opening = ""
        self._blocks: list[Block] = []
        self._used = self._tables = self._frames = 0

    def read(self) -> Open:
        """Where the part ends, and what is open there."""
        source = self._source
        block = self._first()
        while True:
            self.visited += block.visited
            if not block.whole:
                return self._cut(block)
            self._add(block)
            if block.end >= source.end:
                return Open(source.end)
            if self._is_crowded() and self._source.begins_frame(block.end):
                if self._used >= source.limit // 2:
                    return Open(block.end)
                self._source = source._replace(tables=False, fences=False)
            block = self._block_at(block.end)

    def _is_crowded(self) -> bool:
        """Whether it has as many fences and tables as a part has."""
        most = max(FEW_FRAMES, self._source.limit // CHARACTERS_FOR_A_FRAME)
        return self._frames >= most

    def _add(self, block: Block) -> None:
        self._blocks.append(block)
        self._used += block.size

    def _cut(self, block: Block) -> Open:
        source, half = self._source, self._source.limit // 2
        if self._blocks and self._used >= half:
            if isinstance(block, Prose) and (paragraph := block.paragraph(0)) is not None:
                self._blocks.append(block)
                return Open(paragraph)
            return Open(block.begin)
        before = block.visited
        stop = block.cut(max(0, half - self._used))
        self.visited += block.visited - before
        if stop is not None and stop.at > self._opened.at:
            self._blocks.append(block)
            return stop
        if self._blocks:
            return Open(block.begin)
        # A row that is longer than a message: the table is shown as it is written.
        self._source = source._replace(tables=False)
        return self.read()

    def _first(self) -> Block:
        source, (at, fence, marks, table) = self._source, self._opened
        continued = at > 0 and source.text[at - 1] != "\n"
        if fence and (continued or fence.holds(source.line(at))):
            return Code(source, at, source.limit, fence, continued=continued)
        if table and source.tables and row_of(source.line(at), len(table.header)):
            drawn = source.style.draw(table, first=True)
            if drawn is not None:
                self._tables = 1
                return Rows(source, at, source.limit, table, drawn, again=True)
        return self._first_prose(at, continued, marks)

    def _first_prose(self, at: int, continued: bool, marks: tuple[str, ...]) -> Block:
        """What is left of a line, or the first line that is not blank."""
        text, end, limit = self._source.text, self._source.end, self._source.limit
        start = at
        while start < end and text[start].isspace():
            start += 1
            if text[start - 1] == "\n":
                at, continued = start, False
        if continued or marks or start - at > limit // 2:
            at, continued = start, True
        if not continued:
            return self._block_at(at)
        self._opening = "".join(marks)
        if begins_block(self._opening + text[at : at + 16]):
            self._opening = ZERO_WIDTH_SPACE + self._opening
        self._used = len(self._opening)
        return Prose(self._source, at, limit - self._used, continued=True, marks=marks)

    def _block_at(self, at: int) -> Block:
        source = self._source
        room = source.limit - self._used
        if (line := source.fence_at(at)) is not None:
            self._frames += 1
            # A line that is still being written may become what it is not yet: each of these keeps
            # as much room as the others need.
            if line.info_at - line.marker_at > source.limit // 8:
                return Prose(source, at, room - source.limit // 8 - 1, guarded=True)
            if not line.opens:
                return Prose(source, at, room - len(line.fence.closing) - 1)
            return Code(source, at, room, line)
        if (table := source.table_at(at)) is not None:
            drawn = source.style.draw(table, first=not self._tables)
            if drawn is not None:
                self._tables += 1
                self._frames += FRAMES_FOR_A_TABLE
                return Rows(source, at, room, table, drawn, again=False)
        return Prose(source, at, room)

    def pieces(self, stop: Open) -> tuple[Piece, ...]:
        """What is sent."""
        shown: list[Piece] = [self._opening]
        allowance = Allowance()
        for block in self._blocks:
            shown += block.shown(stop, allowance)
        return tuple(_joined(shown))


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Neighbouring texts as one, without blank lines around them."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and isinstance(piece, str) and isinstance(last := joined[-1], str):
            joined[-1] = last + piece
        else:
            joined.append(piece)
    trimmed = [p.strip("\n").rstrip() if isinstance(p, str) else p for p in joined]
    return [piece for piece in trimmed if piece]
