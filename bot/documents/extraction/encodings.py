"""Text in an encoding that it doesn't name."""

import re
from collections.abc import Iterator

from charset_normalizer import from_bytes

from bot.documents.problems import FileProblem, UnreadableFile

WESTERN = "cp1252"
CANDIDATES = [
    *("utf_16_le", "utf_16_be"),
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949", "cp437", "cp850", "mac_roman"),
]
"""What programs write, of the hundred encodings that there are."""

_NOT_WESTERN = re.compile(
    r"[^\W\d_](?:¹|[³¿¡£¥¢ª][^\W\d_])"  # signs where Windows-1250 has letters
    r"|(?:[^\W\d_a-zA-Z]){3}"  # few words have three accented letters in a row
)
_CONTROL = re.compile(r"[\0-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
"""All but white space and ESC, which begins the colours in logs."""


def extract(data: bytes) -> Iterator[str]:
    """The text. Raises UnreadableFile where it isn't any."""
    text = _utf_16(data) if b"\0" in data else _single_or_multi_byte(data)
    if text is None or _CONTROL.search(text):
        raise UnreadableFile(FileProblem.NOT_TEXT)
    yield text


def _utf_16(data: bytes) -> str | None:
    """UTF-16 without a mark: the upper halves of its ASCII characters are zero."""
    data = data[: len(data) & ~1]
    first, second = data[::2].count(0), data[1::2].count(0)
    encoding = "utf-16-be" if first > second else "utf-16-le"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _single_or_multi_byte(data: bytes) -> str | None:
    """As Windows-1252 where words read well in it, or as what fits best.

    Few letters don't tell encodings apart, and of several that fit alike the library has no
    favourite. Windows-1252 is by far the commonest of them.
    """
    western = _decoded(data, WESTERN)
    if western is not None and not _NOT_WESTERN.search(western):
        letters = [character for character in western if character.isalpha()]
        foreign = sum(not letter.isascii() for letter in letters)
        if foreign <= max(2, len(letters) / 2):
            return western
    matches = [str(match) for match in from_bytes(data, cp_isolation=CANDIDATES)]
    return next((text for text in matches if text != western), western if matches else None)


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None
