"""Markdown as Slack shows it.

A message has one table of its own kind; another one is drawn as code. Formulas and tasks are
written with signs: https://docs.slack.dev/reference/block-kit/blocks/table-block
"""

import sys
from collections.abc import Sequence
from itertools import chain

from bot.platforms.markdown.allowance import Allowance
from bot.platforms.markdown.drawing import Drawing
from bot.platforms.markdown.rewriting import with_formulas, with_tasks
from bot.platforms.markdown.style import Drawn, Piece
from bot.platforms.markdown.tables import Table, escapes, plain_rows

TABLE_ROWS = 100
TABLE_COLUMNS = 20


class SlackStyle:
    """See Style. Characters are counted as if each that may become an entity were one."""

    tables = True

    def size(self, text: str, begin: int, end: int) -> int:
        return end - begin + _longer(text, begin, end)

    def prose(self, text: str, allowance: Allowance, *, continued: bool) -> str:
        return with_formulas(with_tasks(text, continued=continued), allowance)

    def draw(self, table: Table, *, first: bool) -> Drawn | None:
        if first and len(table.header) <= TABLE_COLUMNS:
            return _Native(table)
        return Drawing(table, longer=_longer)


def _longer(text: str, begin: int = 0, end: int = sys.maxsize) -> int:
    """How much longer a text is with entities."""
    count = text.count
    return 4 * count("&", begin, end) + 3 * (count("<", begin, end) + count(">", begin, end))


class _Native:
    """A table of Slack's own."""

    def __init__(self, table: Table, rows: tuple[tuple[str, ...], ...] = (), size: int = 0) -> None:
        self._table, self._rows = table, rows
        self._size = size or self._size_of([table.header])

    @property
    def size(self) -> int:
        """See Drawn."""
        return self._size if len(self._rows) < TABLE_ROWS else sys.maxsize

    def with_rows(self, rows: Sequence[tuple[str, ...]]) -> "_Native":
        """See Drawn."""
        return _Native(self._table, (*self._rows, *rows), self._size + self._size_of(rows))

    def _size_of(self, rows: Sequence[tuple[str, ...]]) -> int:
        text = "".join(map("".join, rows))
        escaped = sum(map(escapes, chain.from_iterable(rows))) if escapes(text) else 0
        return len(text) + _longer(text) + escaped + len(rows) * len(self._table.header)

    def piece(self, allowance: Allowance) -> Piece:
        """See Drawn."""
        columns = len(self._table.header)
        rows = plain_rows([self._table.header, *self._rows], allowance)
        header, *whole = ((*row, *[""] * (columns - len(row))) for row in rows)
        return Table(header, self._table.alignments, tuple(whole))
