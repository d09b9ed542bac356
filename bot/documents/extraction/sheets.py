"""Excel: each sheet below its name, one line a row."""

import csv
from collections.abc import Iterator
from datetime import datetime, time
from io import StringIO
from typing import Any

from openpyxl import load_workbook

from bot.documents.extraction.archives import checked


def extract(data: bytes) -> Iterator[str]:
    """Sheets as CSV, each headed `[sheet Costs]`, with the values that formulas had when saved.

    Empty rows, and empty cells at a row's end, are left out.
    """
    workbook = load_workbook(checked(data), read_only=True, data_only=True, keep_links=False)
    for sheet in workbook.worksheets:
        headed = False
        for row in sheet.iter_rows(values_only=True):
            cells = [_shown(value) for value in row]
            while cells and not cells[-1]:
                cells.pop()
            if not cells:
                continue
            if not headed:
                yield f"[sheet {sheet.title}]\n"
                headed = True
            yield _line(cells)
        if headed:
            yield "\n"


def _shown(value: Any) -> str:
    """A cell's value; a day has no time of day."""
    if value is None:
        return ""
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return str(value)


def _line(cells: list[str]) -> str:
    line = StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
