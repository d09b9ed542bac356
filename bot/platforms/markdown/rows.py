"""A table, cut between two rows and begun again with its header."""

from bisect import bisect_right

from bot.platforms.markdown.allowance import Allowance
from bot.platforms.markdown.lines import blank_lines_end
from bot.platforms.markdown.source import Open, Source
from bot.platforms.markdown.style import Drawn, Piece
from bot.platforms.markdown.tables import Table, row_of

SHORTEST_STRETCH, LONGEST_STRETCH = 32, 256
"""Characters whose rows are read and measured at a time: it takes longer row by row."""
MOST_LONGER = 8
"""Times as long as it is written a table may be drawn that has no room in one message: it would
take too many. It is one that lacks most of its cells."""


def _rows(lines: list[str], columns: int) -> list[tuple[str, ...]]:
    """The rows that lines are, up to one that is none."""
    rows = []
    for line in lines:
        if (row := row_of(line, columns)) is None:
            break
        rows.append(row)
    return rows


class Rows:
    """A table from `begin` on: its header, or rows where the part before has that."""

    def __init__(
        self, source: Source, begin: int, room: int, table: Table, drawn: Drawn, *, again: bool
    ) -> None:
        self.source, self.begin, self._room = source, begin, room
        self._table, self._drawn, self._again = table, drawn, again
        self._stretch = SHORTEST_STRETCH
        self._has_rows = False
        self.visited = 0
        self._rows_end, self.end, self.whole = self._read()
        self.size = self._drawn.size + source.size(self._rows_end, self.end)

    def _read(self) -> tuple[int, int, bool]:
        source, at, columns = self.source, self.begin, len(self._table.header)
        if not self._again:
            for _ in range(2):
                at = min(at + len(source.line(at)) + 1, source.end)
            if max(self._drawn.size, source.size(self.begin, at)) > self._room:
                return at, at, False
        self.visited += at - self.begin
        while at < source.end:
            lines = self._lines_at(at)
            self.visited += sum(map(len, lines)) + len(lines)
            rows = _rows(lines, columns)
            count = self._add(rows)
            at = min(at + sum(map(len, lines[:count])) + count, source.end)
            if count < len(rows):
                return at, at, False
            if count < len(lines):
                if not self._has_room_for_line(at):
                    return at, at, False
                break
        if at >= source.end:
            return at, at, True
        return at - 1, blank_lines_end(source.text, at, source.end), True

    def _add(self, rows: list[tuple[str, ...]]) -> int:
        """Add as many of the rows as have room."""

        def size(count: int) -> int:
            return self._drawn.with_rows(rows[:count]).size

        grown, count = self._drawn.with_rows(rows), len(rows)
        if rows and grown.size > self._room:
            count = bisect_right(range(1, count), self._room, key=size)
            grown = self._drawn.with_rows(rows[:count])
        self._drawn = grown
        self._has_rows = self._has_rows or count > 0
        return count

    def _has_room_for_line(self, at: int) -> bool:
        """Whether there is room for the line right below, which may become a row.

        Of a fence's line, for as much as tells that it begins one.
        """
        source, line = self.source, self.source.line(at)
        fence = source.fence_at(at)
        told = at + (len(line) if fence is None else fence.marker_at + 2)
        return not line.strip() or self._drawn.size + 1 + source.size(at, told) <= self._room

    def _lines_at(self, at: int) -> list[str]:
        """The lines from `at` on, as many as a stretch holds, or one that is longer."""
        text, end, stop = self.source.text, self.source.end, at + self._stretch
        self._stretch = min(2 * self._stretch, LONGEST_STRETCH)
        if stop < end:
            stop = text.rfind("\n", at, stop) + 1
        return (
            text[at : min(stop, end)].removesuffix("\n").split("\n")
            if stop
            else [self.source.line(at)]
        )

    def cut(self, least: int) -> Open | None:
        """Where a part ends in it; None where no row has room, or where it is best not drawn."""
        is_noise = self.size > MOST_LONGER * (self.end - self.begin)
        return Open(self.end, table=self._table) if self._has_rows and not is_noise else None

    def shown(self, stop: Open, allowance: Allowance) -> list[Piece]:
        """What is sent of it."""
        table = self._drawn.piece(allowance)
        return [table, self.source.text[self._rows_end : self.end]] if self.whole else [table]
