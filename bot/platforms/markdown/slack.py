"""Markdown as Slack shows it.

A message has one table of its own kind; another one is drawn as code. Formulas and tasks are
written with signs: https://docs.slack.dev/reference/block-kit/blocks/table-block
"""

from collections.abc import Sequence
from itertools import accumulate
from operator import add

from bot.platforms.markdown.formulas import Formulas
from bot.platforms.markdown.rewriting import with_formulas, with_tasks
from bot.platforms.markdown.style import Drawn, Piece
from bot.platforms.markdown.tables import Drawing, Table, escapes

TABLE_ROWS = 100
TABLE_COLUMNS = 20


class SlackStyle:
    """See Style. Characters are counted as if each that may become an entity were one."""

    tables = True

    def size(self, text: str, begin: int, end: int) -> int:
        return end - begin + _longer(text, begin, end)

    def prose(self, text: str, formulas: Formulas, *, continued: bool) -> str:
        return with_formulas(with_tasks(text, continued=continued), formulas)

    def draw(self, table: Table, *, first: bool) -> Drawn | None:
        if first and len(table.header) <= TABLE_COLUMNS:
            return _Native(table)
        return _Counted(table)


class _Counted(Drawing):
    """A table as code, whose entities are counted."""

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self._longer = _longer_row(table.header)

    def sizes_with(self, rows: Sequence[tuple[str, ...]]) -> list[int]:
        longer = [*accumulate(map(_longer_row, rows), initial=self._longer)][1:]
        return [*map(add, super().sizes_with(rows), longer)]

    def add(self, rows: Sequence[tuple[str, ...]]) -> None:
        super().add(rows)
        self._longer += sum(map(_longer_row, rows))


def _longer(text: str, begin: int, end: int) -> int:
    """How much longer a text is with entities."""
    count = text.count
    return 4 * count("&", begin, end) + 3 * (count("<", begin, end) + count(">", begin, end))


def _longer_row(row: tuple[str, ...]) -> int:
    text = "".join(row)
    return _longer(text, 0, len(text))


class _Native:
    """A table of Slack's own."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._rows: list[tuple[str, ...]] = []
        self._size = self._size_of(table.header)
        self._sizes: list[int] = []
        """With the rows that were asked about last."""

    def _size_of(self, row: tuple[str, ...]) -> int:
        text = "".join(row)
        longer = 0 if text.isascii() else sum(map(escapes, row))
        return len(text) + _longer(text, 0, len(text)) + longer + len(row)

    def sizes_with(self, rows: Sequence[tuple[str, ...]]) -> list[int]:
        """See Drawn."""
        left = TABLE_ROWS - 1 - len(self._rows)
        text = "".join(map("".join, rows))
        if text.isascii() and not _longer(text, 0, len(text)):
            own = [sum(map(len, row)) + len(row) for row in rows[:left]]
        else:
            own = [*map(self._size_of, rows[:left])]
        self._sizes = [*accumulate(own, initial=self._size)][1:]
        return self._sizes

    def add(self, rows: Sequence[tuple[str, ...]]) -> None:
        """See Drawn."""
        self._rows += rows
        self._size = self._sizes[len(rows) - 1]

    def piece(self, formulas: Formulas) -> Piece:
        """See Drawn."""
        return Table(self._table.header, self._table.alignments, tuple(self._rows))
