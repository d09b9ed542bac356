"""Tables: read from Markdown, and drawn in characters of one width."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token
from wcwidth import wcswidth

from bot.platforms.markdown.rewriting import with_formulas

WIDEST = 64
"""Columns that code has on a narrow screen of either platform; a wider table becomes a list."""
_INLINE = MarkdownIt("commonmark").enable("strikethrough")


@dataclass(frozen=True)
class Table:
    """A table's header, its rows, and each column's alignment: "", "left", "center", "right".

    The cells are Markdown. Every row has as many as the header.
    """

    header: tuple[str, ...]
    alignments: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = ()


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
    if "|" not in line or not line.strip():
        return None
    cells = _cells(line)
    return (
        (*cells, *[""] * (columns - len(cells)))[:columns]
        if len(cells) <= columns
        else (
            *cells[: columns - 1],
            " | ".join(cells[columns - 1 :]),
        )
    )


def _cells(line: str) -> tuple[str, ...]:
    line = line.strip()
    cells = escapedSplit(line) if "\\" in line else line.split("|")
    if cells and not cells[0].strip():
        cells = cells[1:]
    if cells and not cells[-1].strip():
        cells = cells[:-1]
    return tuple(cell.strip() for cell in cells)


def _alignment(rule: str) -> str | None:
    if not rule or rule.strip(":") != "-" * len(rule.strip(":")) or not rule.strip(":"):
        return None
    if rule.endswith(":"):
        return "center" if rule.startswith(":") else "right"
    return "left" if rule.startswith(":") else ""


@lru_cache(maxsize=4096)
def plain(cell: str) -> str:
    """A cell's text for code: without its marks; a link keeps its address."""
    cell = with_formulas(cell)
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

    prose: how a cell is written in the list.
    """

    def __init__(self, table: Table, prose: Callable[[str], str] = str) -> None:
        self._table = table
        self._rows = [tuple(map(plain, table.header))]
        self._widths = [_width(cell) for cell in self._rows[0]]
        self._ends_aligned = table.alignments[-1] in ("right", "center")
        self._last_cells = self._length(self._rows[0])
        self._list = _List(table, prose)
        self._next: tuple[tuple[str, ...], list[int]] = ((), [])

    def _length(self, cells: tuple[str, ...]) -> int:
        """What a row has beyond its columns: the last one's text, and what takes no column."""
        unseen = sum(max(0, len(cell) - _width(cell)) for cell in cells[:-1])
        return unseen + len(cells[-1])

    def size_with(self, row: tuple[str, ...]) -> int:
        """See Drawn. Both forms have room while it is not sure which one it will be."""
        cells = tuple(map(plain, row))
        widths = self._widths_with(cells)
        self._next = (cells, widths)
        width = _whole(widths)
        columns = min(WIDEST, width if self._ends_aligned else width - widths[-1])
        lines = len(self._rows) + 1
        last = self._last_cells + self._length(cells)
        size = len("```\n\n```") + lines * (columns + 1) + last + min(WIDEST, width) + 1
        return max(size, self._list.size_with(row) if width > WIDEST else 0)

    def _widths_with(self, cells: tuple[str, ...]) -> list[int]:
        return [max(a, _width(cell)) for a, cell in zip(self._widths, cells, strict=True)]

    def add(self, row: tuple[str, ...]) -> None:
        """See Drawn."""
        cells, widths = self._next
        if cells != (seen := tuple(map(plain, row))):
            cells, widths = seen, self._widths_with(seen)
        self._rows.append(cells)
        self._widths = widths
        self._last_cells += self._length(cells)
        self._list.add(row)

    def piece(self) -> str:
        """See Drawn."""
        if _whole(self._widths) > WIDEST:
            return self._list.text()
        lines = [self._line(row) for row in self._rows]
        lines.insert(1, "─┼─".join("─" * width for width in self._widths))
        return "```\n" + "\n".join(lines) + "\n```"

    def _line(self, row: Sequence[str]) -> str:
        cells = zip(row, self._widths, self._table.alignments, strict=True)
        return " │ ".join(_padded(*cell) for cell in cells).rstrip()


def _whole(widths: Sequence[int]) -> int:
    return sum(widths) + len(" │ ") * (len(widths) - 1)


class _List:
    """A table's rows as a list: the first cell names the row."""

    def __init__(self, table: Table, prose: Callable[[str], str]) -> None:
        self._header = table.header
        self._prose = prose
        self._rows: list[tuple[str, ...]] = []
        self._lines: list[str] = []
        self._size = 0

    def size_with(self, row: tuple[str, ...]) -> int:
        self._write()
        return self._size + len(self._line(row)) + 1

    def add(self, row: tuple[str, ...]) -> None:
        self._rows.append(row)

    def _write(self) -> None:
        """Write the rows, which most tables need in columns only."""
        for row in self._rows[len(self._lines) :]:
            self._lines.append(self._line(row))
            self._size += len(self._lines[-1]) + 1

    def _line(self, row: tuple[str, ...]) -> str:
        first, *others = zip(self._header, map(self._prose, row), strict=True)
        line = f"- {first[0]}: **{first[1]}**" if first[0] else f"- **{first[1]}**"
        more = [f"  - {name}: {cell}" if name else f"  - {cell}" for name, cell in others if cell]
        return "\n".join([line, *more])

    def text(self) -> str:
        self._write()
        return "\n".join(self._lines) or "- " + " / ".join(self._header)


def _width(cell: str) -> int:
    return len(cell) if cell.isascii() else max(0, wcswidth(cell))


def _padded(cell: str, width: int, alignment: str) -> str:
    space = width - _width(cell)
    left = {"right": space, "center": space // 2}.get(alignment, 0)
    return " " * left + cell + " " * (space - left)
