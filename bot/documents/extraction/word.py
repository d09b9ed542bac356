"""Word: paragraphs, headings, lists and tables in the document's order."""

from collections.abc import Iterator

from docx import Document
from docx.table import Table
from docx.text.paragraph import Paragraph

from bot.documents.extraction.archives import checked


def extract(data: bytes) -> Iterator[str]:
    """A document's body as Markdown; its pages exist only once it is laid out."""
    for part in Document(checked(data)).iter_inner_content():
        yield f"{_table(part)}\n\n" if isinstance(part, Table) else _paragraph(part)


def _paragraph(paragraph: Paragraph) -> str:
    text = paragraph.text.strip()
    style = (paragraph.style.name if paragraph.style else "") or ""
    level = style.removeprefix("Heading ")
    if not text:
        return ""
    if style == "Title" or level.isdecimal():
        return f"{'#' * (1 if style == 'Title' else int(level))} {text}\n\n"
    return f"- {text}\n" if style.startswith("List") else f"{text}\n\n"


def _table(table: Table) -> str:
    """One line a row; a cell that spans several columns stands once."""
    rows = []
    for row in table.rows:
        cells = {id(cell._tc): " ".join(cell.text.split()) for cell in row.cells}
        rows.append(" | ".join(cells.values()))
    return "\n".join(rows)
