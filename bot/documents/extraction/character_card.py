"""A picture with a character card in it: the card's JSON, which stands in one of its text chunks.

https://github.com/kwaroran/character-card-spec-v3, https://github.com/malfoyslastname/character-card-spec-v2
"""

import base64
from collections.abc import Iterator

import png

from bot.documents.problems import FileProblem, UnreadableFile

KEYWORDS = (b"ccv3", b"chara")
"""Of the chunks, the newer version first: a card may have both."""


def extract(data: bytes) -> Iterator[str]:
    """The card of the newest version. Raises UnreadableFile where the picture has none."""
    found: dict[bytes, bytes] = {}
    for kind, content in png.Reader(bytes=data).chunks():
        if kind == b"tEXt":
            keyword, _, text = content.partition(b"\0")
            found[keyword.lower()] = text
    card = next((found[keyword] for keyword in KEYWORDS if keyword in found), None)
    if card is None:
        raise UnreadableFile(FileProblem.EMPTY)
    yield base64.b64decode(card).decode("utf-8")
