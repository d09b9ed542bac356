"""Tables drawn in characters of one width."""

from collections.abc import Callable, Sequence
from copy import copy
from functools import lru_cache
from itertools import chain, zip_longest

from wcwidth import wcswidth

from bot.platforms.markdown.allowance import Allowance
from bot.platforms.markdown.tables import Table, escapes, plain_rows

WIDEST = 64
"""Columns that code has on a narrow screen of either platform; a wider table becomes a list."""
QUIETED = len("<>")
_FRAME = len("```\n\n```")
_BETWEEN = " │ "


def _as_long(text: str) -> int:
    return 0


class Drawing:
    """A table as code in columns, or where that is too wide as a list. See style.Drawn.

    It is measured by what its cells are written with, and their marks taken out when it is shown: a
    cell that is being written would be shorter once its marks are closed.
    prose: how a cell is written in the list, longer by `QUIETED` for each address at most.
    longer: by how much a text is longer as it is sent.
    """

    def __init__(
        self,
        table: Table,
        prose: Callable[[str], str] = str,
        longer: Callable[[str], int] = _as_long,
    ) -> None:
        self._table, self._prose, self._longer = table, prose, longer
        header = table.header
        self._name, *self._names = header
        self._rows: tuple[tuple[str, ...], ...] = ()
        self._more = longer("".join(header))
        """By how much all of it is longer as it is sent."""
        self._widths = [*map(_longest, header)]
        self._beyond = _longest(header[-1]) + sum(map(_unseen, header))
        """What its rows have beyond the columns: the last one's text, and what takes no column."""
        self._is_list = self._width > WIDEST
        """Whether its header is too wide for columns."""
        self._listed = self._size_of("- " + " / ".join(header)) if self._is_list else None
        """Its size as a list, where it may become one."""

    @property
    def _width(self) -> int:
        return sum(self._widths) + len(_BETWEEN) * (len(self._widths) - 1)

    @property
    def size(self) -> int:
        """See Drawn. Both forms have room while it is not sure which one it will be."""
        listed = self._listed or 0
        if self._is_list:
            return listed + self._more
        whole, ends_aligned = self._width, self._table.alignments[-1] in ("right", "center")
        columns = whole if ends_aligned else whole - self._widths[-1]
        lines = 1 + len(self._rows)
        size = _FRAME + lines * (min(WIDEST, columns) + 1) + self._beyond + min(WIDEST, whole) + 1
        return max(size, listed) + self._more

    def with_rows(self, rows: Sequence[tuple[str, ...]]) -> "Drawing":
        """See Drawn."""
        grown = copy(self)
        grown._rows = (*self._rows, *rows)
        grown._more += self._longer("".join(map("".join, rows)))
        if not self._is_list:
            grown._add_to_columns(rows)
        grown._add_to_list(rows)
        return grown

    def _add_to_columns(self, rows: Sequence[tuple[str, ...]]) -> None:
        empty = [""] * len(self._widths)
        columns = zip_longest(empty, *rows, fillvalue="")
        are_ascii = "".join(map("".join, rows)).isascii()
        lengths = [[*map(len if are_ascii else _longest, column)] for column in columns]
        self._widths = [*map(max, self._widths, map(max, lengths))]
        self._beyond += sum(lengths[-1])
        if not are_ascii:
            self._beyond += sum(map(_unseen, chain.from_iterable(rows)))

    def _add_to_list(self, rows: Sequence[tuple[str, ...]]) -> None:
        if self._listed is None and self._width <= WIDEST:
            return
        new = self._rows if self._listed is None else rows
        self._listed = (self._listed or 0) + sum(map(self._size_of, map(self._item, new)))

    def _size_of(self, line: str) -> int:
        return len(line) + QUIETED * line.count("://") + 1

    def piece(self, allowance: Allowance) -> str:
        """See Drawn."""
        if self._is_list:
            return self._list()
        rows = plain_rows([self._table.header, *self._rows], allowance)
        columns = [*zip_longest(*rows, fillvalue="")]
        widths = [max(map(_width, column)) for column in columns]
        if sum(widths) + len(_BETWEEN) * (len(widths) - 1) > WIDEST:
            return self._list()
        aligned = map(_aligned, columns, widths, self._table.alignments)
        lines = [_BETWEEN.join(row).rstrip() for row in zip(*aligned, strict=True)]
        lines.insert(1, "─┼─".join("─" * width for width in widths))
        return "```\n" + "\n".join(lines) + "\n```"

    def _list(self) -> str:
        """Its rows as a list: the first cell names the row."""
        rows = [self._item([*map(self._prose, row)]) for row in self._rows]
        return "\n".join(rows) or "- " + self._prose(" / ".join(self._table.header))

    def _item(self, row: Sequence[str]) -> str:
        first, *cells = row or ("",)
        line = f"- {self._name}: **{first}**" if self._name else f"- **{first}**"
        others = [(name, cell) for name, cell in zip(self._names, cells, strict=False) if cell]
        return "\n".join(
            [line, *(f"  - {name}: {cell}" if name else f"  - {cell}" for name, cell in others)]
        )


@lru_cache(maxsize=4096)
def _width(cell: str) -> int:
    return len(cell) if cell.isascii() else max(0, wcswidth(cell))


@lru_cache(maxsize=4096)
def _longest(cell: str) -> int:
    """At least the columns of what `plain` makes of a cell; never less for a longer cell."""
    return _width(cell) + escapes(cell)


@lru_cache(maxsize=4096)
def _unseen(cell: str) -> int:
    """How many of a cell's characters take no column."""
    return 0 if cell.isascii() else max(0, len(cell) - _width(cell))


def _aligned(column: Sequence[str], width: int, alignment: str) -> list[str]:
    """A column's cells, all of one width."""
    ways: dict[str, Callable[[str, int], str]] = {"right": str.rjust, "center": _centered}
    align = ways.get(alignment, str.ljust)
    if "".join(column).isascii():
        return [align(cell, width) for cell in column]
    return [align(cell, width - _width(cell) + len(cell)) for cell in column]


def _centered(cell: str, width: int) -> str:
    return cell.rjust(len(cell) + (width - len(cell)) // 2).ljust(width)
