"""Tables: read from Markdown, and drawn in characters of one width."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, count
from operator import sub

from markdown_it import MarkdownIt
from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token
from wcwidth import wcswidth

from bot.platforms.markdown.formulas import Formulas
from bot.platforms.markdown.rewriting import with_formulas

WIDEST = 64
"""Columns that code has on a narrow screen of either platform; a wider table becomes a list."""
QUIETED = len("<>")
_FRAME = len("```\n\n```")
_INLINE = MarkdownIt("commonmark").enable("strikethrough")


@dataclass(frozen=True)
class Table:
    """A table's header, its rows, and each column's alignment: "", "left", "center", "right".

    The cells are Markdown. Every row has as many as the header.
    """

    header: tuple[str, ...]
    alignments: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = ()


@lru_cache(maxsize=256)
def header_of(line: str, below: str) -> Table | None:
    """The table that two lines begin; None if they begin none (GFM 0.29 section 4.10)."""
    rule = below.strip()
    if "|" not in line or "-" not in rule or rule.strip("|:- \t") or rule[0] not in "|:-":
        return None
    cells = _cells(line)
    columns = rule.removeprefix("|").removesuffix("|").split("|")
    alignments = tuple(_alignment(column.strip()) for column in columns)
    if None in alignments or len(alignments) != len(cells):
        return None
    return Table(cells, tuple(alignment or "" for alignment in alignments))


def row_of(line: str, columns: int) -> tuple[str, ...] | None:
    """A row's cells; None for a line that is not one."""
    if "|" not in line:
        return None
    cells = _cells(line)
    if len(cells) == columns:
        return cells
    if len(cells) < columns:
        return (*cells, *[""] * (columns - len(cells)))
    return (*cells[: columns - 1], " | ".join(cells[columns - 1 :]))


def _cells(line: str) -> tuple[str, ...]:
    parts = escapedSplit(line.strip()) if "\\" in line else line.split("|")
    cells = [*map(str.strip, parts)]
    if cells and not cells[0]:
        del cells[0]
    if cells and not cells[-1]:
        del cells[-1]
    return tuple(cells)


def _alignment(rule: str) -> str | None:
    if not rule or rule.strip(":") != "-" * len(rule.strip(":")) or not rule.strip(":"):
        return None
    if rule.endswith(":"):
        return "center" if rule.startswith(":") else "right"
    return "left" if rule.startswith(":") else ""


def plain(cell: str, formulas: Formulas) -> str:
    """A cell's text for code: without its marks; a link keeps its address."""
    return _without_marks(with_formulas(cell, formulas))


@lru_cache(maxsize=4096)
def _without_marks(cell: str) -> str:
    if not any(sign in cell for sign in "*_`~[\\&<!"):
        return cell
    text = "".join(_texts(_INLINE.parseInline(cell)[0].children or []))
    return text.replace("```", "'''")  # the code would end there


def _texts(tokens: Sequence[Token]) -> list[str]:
    found: list[str] = []
    address = ""
    for token in tokens:
        if token.type == "link_open":
            address = str(token.attrs.get("href", ""))
        elif token.type == "link_close":
            shown = bool(found) and address.removeprefix("mailto:") in found[-1]
            found += [] if shown else [f" ({address})"]
        elif token.type == "image":
            found.append(f"{token.content} ({token.attrs.get('src', '')})")
        elif token.type in ("softbreak", "hardbreak"):
            found.append(" ")
        else:
            found.append(token.content)
    return found


class Drawing:
    """A table as code in columns, or where that is too wide as a list. See style.Drawn.

    It is measured by what its cells are written with, and their marks taken out when it is shown: a
    cell that is being written would be shorter once its marks are closed.
    prose: how a cell is written in the list, longer by `QUIETED` for each address at most.
    """

    def __init__(self, table: Table, prose: Callable[[str], str] = str) -> None:
        self._table = table
        self._rows = [table.header]
        self._widths = [*map(_longest, table.header)]
        self._ends_aligned = table.alignments[-1] in ("right", "center")
        (self._beyond,) = _beyond(self._rows, are_ascii=False)
        self._grown: list[tuple[int, ...]] = []
        self._grown_beyond: list[int] = []
        """The widths, and what is beyond them, with the rows that were asked about last."""
        self._between = len(" │ ") * (len(self._widths) - 1)
        self._list = _List(table, prose)

    def sizes_with(self, rows: Sequence[tuple[str, ...]]) -> list[int]:
        """See Drawn. Both forms have room while it is not sure which one it will be."""
        if not rows:
            return []
        are_ascii = "".join(map("".join, rows)).isascii()
        longest = len if are_ascii else _longest
        widths = [
            [*accumulate(map(longest, column), max, initial=width)][1:]
            for column, width in zip(zip(*rows, strict=True), self._widths, strict=True)
        ]
        self._grown = [*zip(*widths, strict=True)]
        wholes = [self._between + sum(row) for row in self._grown]
        columns = wholes if self._ends_aligned else map(sub, wholes, widths[-1])
        beyond = [*accumulate(_beyond(rows, are_ascii=are_ascii), initial=self._beyond)][1:]
        self._grown_beyond = beyond
        sizes = [
            _FRAME + lines * (min(WIDEST, across) + 1) + more + min(WIDEST, whole) + 1
            for lines, across, more, whole in zip(
                count(len(self._rows) + 1), columns, beyond, wholes, strict=False
            )
        ]
        if wholes[-1] <= WIDEST:
            return sizes
        listed = zip(sizes, self._list.sizes_with(rows), wholes, strict=True)
        return [max(size, other) if whole > WIDEST else size for size, other, whole in listed]

    def add(self, rows: Sequence[tuple[str, ...]]) -> None:
        """See Drawn."""
        self._widths = [*self._grown[len(rows) - 1]]
        self._beyond = self._grown_beyond[len(rows) - 1]
        self._rows += rows
        self._list.add(rows)

    def piece(self, formulas: Formulas) -> str:
        """See Drawn."""
        rows = [tuple(plain(cell, formulas) for cell in row) for row in self._rows]
        widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
        if sum(widths) + self._between > WIDEST:
            return self._list.text()
        lines = [self._line(row, widths) for row in rows]
        lines.insert(1, "─┼─".join("─" * width for width in widths))
        return "```\n" + "\n".join(lines) + "\n```"

    def _line(self, row: Sequence[str], widths: Sequence[int]) -> str:
        cells = zip(row, widths, self._table.alignments, strict=True)
        return " │ ".join(_padded(*cell) for cell in cells).rstrip()


class _List:
    """A table's rows as a list: the first cell names the row."""

    def __init__(self, table: Table, prose: Callable[[str], str]) -> None:
        self._header = table.header
        self._prose = prose
        self._rows: list[tuple[str, ...]] = []
        self._measured = self._size = 0

    def sizes_with(self, rows: Sequence[tuple[str, ...]]) -> list[int]:
        self._size += sum(map(self._size_of, self._rows[self._measured :]))
        self._measured = len(self._rows)
        return [*accumulate(map(self._size_of, rows), initial=self._size)][1:]

    def _size_of(self, row: tuple[str, ...]) -> int:
        line = self._line(row)
        return len(line) + QUIETED * line.count("://") + 1

    def add(self, rows: Sequence[tuple[str, ...]]) -> None:
        self._rows += rows

    def _line(self, row: Sequence[str]) -> str:
        first, *others = zip(self._header, row, strict=True)
        line = f"- {first[0]}: **{first[1]}**" if first[0] else f"- **{first[1]}**"
        more = [f"  - {name}: {cell}" if name else f"  - {cell}" for name, cell in others if cell]
        return "\n".join([line, *more])

    def text(self) -> str:
        lines = [self._line([*map(self._prose, row)]) for row in self._rows]
        return "\n".join(lines) or "- " + " / ".join(self._header)


def escapes(cell: str) -> int:
    """How many characters `plain` may add to a cell: each byte of an address becomes three."""
    has_address = not cell.isascii() and ("](" in cell or "<" in cell)
    return len(cell.encode()) * len("%00") if has_address else 0


def _longest(cell: str) -> int:
    """At least the columns of what `plain` makes of a cell; never less for a longer cell."""
    return _width(cell) + escapes(cell)


def _beyond(rows: Sequence[tuple[str, ...]], *, are_ascii: bool) -> list[int]:
    """What each row has beyond its columns: the last one's text, and what takes no column."""
    if are_ascii:
        return [len(row[-1]) for row in rows]
    return [_longest(row[-1]) + sum(map(_unseen, row)) for row in rows]


def _unseen(cell: str) -> int:
    """How many of a cell's characters take no column."""
    return 0 if cell.isascii() else max(0, len(cell) - max(0, wcswidth(cell)))


def _width(cell: str) -> int:
    return len(cell) if cell.isascii() else max(0, wcswidth(cell))


def _padded(cell: str, width: int, alignment: str) -> str:
    space = width - _width(cell)
    left = {"right": space, "center": space // 2}.get(alignment, 0)
    return " " * left + cell + " " * (space - left)
