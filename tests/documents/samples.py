"""Files as programs write them, small."""

from io import BytesIO

from docx import Document
from openpyxl import Workbook
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject


def pdf(*pages: str, password: str = "", owner: str = "") -> bytes:
    """A PDF with a line of text on each page; an empty line is a page of pictures."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for line in pages:
        page = writer.add_blank_page(300, 200)
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        content = DecodedStreamObject()
        content.set_data(f"BT /F1 12 Tf 20 100 Td ({line}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(content)
    if password or owner:
        writer.encrypt(password, owner or None, algorithm="AES-256")
    return _saved(writer.write)


def word() -> bytes:
    document = Document()
    document.add_heading("Harbour rules", 1)
    document.add_paragraph("Berths cost 40 € a night.")
    document.add_paragraph("Lock the gate", style="List Bullet")
    table = document.add_table(rows=0, cols=2)
    for boat, crew in (("Boat", "Crew"), ("Petrel", "four")):
        cells = table.add_row().cells
        cells[0].text, cells[1].text = boat, crew
    document.add_paragraph("Signed, the harbour master.")
    return _saved(document.save)


def sheets(**named: list[list[object]]) -> bytes:
    workbook = Workbook()
    workbook.remove(workbook.active)
    for title, rows in named.items():
        sheet = workbook.create_sheet(title)
        for row in rows:
            sheet.append(row)
    return _saved(workbook.save)


def _saved(save) -> bytes:
    buffer = BytesIO()
    save(buffer)
    return buffer.getvalue()
