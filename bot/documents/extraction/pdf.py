"""PDF: the text of each page, below its number."""

from collections.abc import Iterator
from io import BytesIO

from pypdf import PasswordType, PdfReader

from bot.documents.problems import FileProblem, UnreadableFile


def extract(data: bytes) -> Iterator[str]:
    """A PDF's pages, each headed `[page 3]`; those without text only where others have some."""
    reader = PdfReader(BytesIO(data))
    # Many are encrypted only against changes, with an empty password for reading.
    if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
        raise UnreadableFile(FileProblem.ENCRYPTED)
    for number, page in enumerate(reader.pages, 1):
        if text := page.extract_text().strip():
            yield f"[page {number}]\n{text}\n\n"
