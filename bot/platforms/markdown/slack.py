"""Markdown as Slack shows it.

A message has one table of its own kind; another one is drawn as code. Formulas and tasks are
written with signs: https://docs.slack.dev/reference/block-kit/blocks/table-block
"""

from bot.platforms.markdown.rewriting import with_formulas, with_tasks
from bot.platforms.markdown.style import Drawn, Piece
from bot.platforms.markdown.tables import Drawing, Table, escapes

TABLE_ROWS = 100
TABLE_COLUMNS = 20
_ENTITY = {"&": 4, "<": 3, ">": 3}
"""How much longer these are as entities."""


class SlackStyle:
    """See Style. Characters are counted as if each that may become an entity were one."""

    tables = True

    def size(self, text: str, begin: int, end: int) -> int:
        count = text.count
        longer = 4 * count("&", begin, end) + 3 * (count("<", begin, end) + count(">", begin, end))
        return end - begin + longer

    def prose(self, text: str, *, continued: bool) -> str:
        return with_formulas(with_tasks(text, continued=continued))

    def draw(self, table: Table, *, first: bool) -> Drawn | None:
        if first and len(table.header) <= TABLE_COLUMNS:
            return _Native(table)
        return _Counted(table)


class _Counted(Drawing):
    """A table as code, whose entities are counted."""

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self._longer = _longer(table.header)

    def size_with(self, row: tuple[str, ...]) -> int:
        return super().size_with(row) + self._longer + _longer(row)

    def add(self, row: tuple[str, ...]) -> None:
        super().add(row)
        self._longer += _longer(row)


def _longer(row: tuple[str, ...]) -> int:
    """How much longer a row is with entities."""
    return sum(more * cell.count(sign) for cell in row for sign, more in _ENTITY.items())


class _Native:
    """A table of Slack's own."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._rows: list[tuple[str, ...]] = []
        self._size = self._size_of(table.header)

    def _size_of(self, row: tuple[str, ...]) -> int:
        text = "".join(row)
        return SlackStyle().size(text, 0, len(text)) + sum(map(escapes, row)) + len(row)

    def size_with(self, row: tuple[str, ...]) -> int | None:
        """See Drawn."""
        if len(self._rows) + 2 > TABLE_ROWS:
            return None
        return self._size + self._size_of(row)

    def add(self, row: tuple[str, ...]) -> None:
        """See Drawn."""
        self._rows.append(row)
        self._size += self._size_of(row)

    def piece(self) -> Piece:
        """See Drawn."""
        return Table(self._table.header, self._table.alignments, tuple(self._rows))
