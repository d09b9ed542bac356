"""A table, cut between two rows and begun again with its header."""

from bot.platforms.markdown.lines import blank_lines_end
from bot.platforms.markdown.source import Open, Source
from bot.platforms.markdown.style import Drawn, Piece
from bot.platforms.markdown.tables import Table, row_of


class Rows:
    """A table from `begin` on: its header, or rows where the part before has that."""

    def __init__(
        self, source: Source, begin: int, room: int, table: Table, drawn: Drawn, *, again: bool
    ) -> None:
        self.source, self.begin, self._room = source, begin, room
        self._table, self._drawn, self._again = table, drawn, again
        self._count = 0
        self.visited = 0
        empty = ("",) * len(table.header)
        self.size = drawn.size_with(empty) or 0
        self._rows_end, self.end, self.whole = self._read()
        self.size += source.size(self._rows_end, self.end)

    def _read(self) -> tuple[int, int, bool]:
        source, at = self.source, self.begin
        if not self._again:
            for _ in range(2):
                at = min(at + len(source.line(at)) + 1, source.end)
            if max(self.size, source.size(self.begin, at)) > self._room:
                return at, at, False
        self.visited += at - self.begin
        while at < source.end:
            line = source.line(at)
            self.visited += len(line) + 1
            row = row_of(line, len(self._table.header))
            if row is None:
                break
            size = self._drawn.size_with(row)
            if size is None or size > self._room:
                return at, at, False
            self._drawn.add(row)
            self._count, self.size = self._count + 1, size
            at = min(at + len(line) + 1, source.end)
        if at >= source.end:
            return at, at, True
        return at - 1, blank_lines_end(source.text, at, source.end), True

    def cut(self, least: int) -> Open | None:
        """Where a part ends in it; None where no row has room."""
        return Open(self.end, table=self._table) if self._count else None

    def shown(self, stop: Open) -> list[Piece]:
        """What is sent of it."""
        between = self.source.text[self._rows_end : self.end]
        return [self._drawn.piece(), between] if self.whole else [self._drawn.piece()]
