"""Tables, as they are read from Markdown."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token

from bot.platforms.markdown.allowance import Allowance
from bot.platforms.markdown.lines import fence_in
from bot.platforms.markdown.rewriting import with_formulas

_INLINE = MarkdownIt("commonmark").enable("strikethrough")
_MARKED = re.compile(r"[*_`~\[\\&<!$]")
"""What a cell without marks or formulas has none of."""
_PLAIN = r"[^*_`~\[\\&<!$]"
_WHOLLY_MARKED = re.compile(rf"(?P<mark>\*\*|~~|[*_`])(?P<text>(?!\s){_PLAIN}+(?<!\s))(?P=mark)")
"""A cell in one kind of marks, as most are that have some: markdown-it-py takes 50 µs for it."""


@dataclass(frozen=True)
class Table:
    """A table's header, its rows, and each column's alignment: "", "left", "center", "right".

    The cells are Markdown. No row has more than the header; those that one lacks are empty.
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


@lru_cache(maxsize=2048)
def row_of(line: str, columns: int) -> tuple[str, ...] | None:
    """A row's cells, at most so many; None for a line that is not one."""
    if "|" not in line or fence_in(line) is not None:
        return None
    cells = _cells(line)
    if len(cells) <= columns:
        return cells
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


def plain_rows(rows: Sequence[tuple[str, ...]], allowance: Allowance) -> list[tuple[str, ...]]:
    """What `plain` makes of the cells."""
    if not _MARKED.search("".join(map("".join, rows))):
        return [*rows]
    return [tuple(plain(cell, allowance) for cell in row) for row in rows]


def plain(cell: str, allowance: Allowance) -> str:
    """A cell's text for code: without its marks; a link keeps its address."""
    if not _MARKED.search(cell):
        return cell
    cell = with_formulas(cell, allowance)
    if (marked := _WHOLLY_MARKED.fullmatch(cell)) is not None:
        return marked["text"]
    text = _without_marks(cell) if allowance.takes_marks(cell) else cell
    return text.replace("```", "'''")  # the code would end there


@lru_cache(maxsize=4096)
def _without_marks(cell: str) -> str:
    return "".join(_texts(_INLINE.parseInline(cell)[0].children or []))


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


def escapes(cell: str) -> int:
    """How many characters `plain` may add to a cell: each byte of an address becomes three."""
    has_address = not cell.isascii() and ("](" in cell or "<" in cell)
    return len(cell.encode()) * len("%00") if has_address else 0
