"""What a file is, by its name and the type that the platform says it has."""

import mimetypes
from enum import StrEnum
from pathlib import PurePosixPath


class Kind(StrEnum):
    """How a file is read; pictures, sounds and videos aren't."""

    TEXT = "text"
    PDF = "pdf"
    WORD = "word"
    SHEETS = "sheets"
    WEB_PAGE = "web_page"
    ARTICLE = "article"
    """A web page of which only what it is about is wanted."""
    CHARACTER_CARD = "character_card"
    """A picture that is read for the card in it; by its name and type it is only a picture."""
    PICTURE = "picture"
    SOUND = "sound"
    VIDEO = "video"
    FILE = "file"
    """Of a format that nothing here reads."""

    @property
    def is_readable(self) -> bool:
        return self in _READABLE

    @property
    def is_parsed(self) -> bool:
        """Whether reading it takes a parser, and the whole file."""
        return self in _READABLE and self is not Kind.TEXT


_READABLE = {
    *(Kind.TEXT, Kind.PDF, Kind.WORD, Kind.SHEETS, Kind.WEB_PAGE, Kind.ARTICLE),
    Kind.CHARACTER_CARD,
}

_BY_SUFFIX = {
    ".pdf": Kind.PDF,
    ".docx": Kind.WORD,
    ".docm": Kind.WORD,
    ".xlsx": Kind.SHEETS,
    ".xlsm": Kind.SHEETS,
    ".html": Kind.WEB_PAGE,
    ".htm": Kind.WEB_PAGE,
    ".xhtml": Kind.WEB_PAGE,
    ".svg": Kind.TEXT,
    ".ts": Kind.TEXT,  # TypeScript; by its registered type it would be a video
    ".mts": Kind.TEXT,
}
_BY_TYPE = {
    "application/pdf": Kind.PDF,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": Kind.WORD,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": Kind.SHEETS,
    "text/html": Kind.WEB_PAGE,
    "application/xhtml+xml": Kind.WEB_PAGE,
}
_BY_FAMILY = {"image": Kind.PICTURE, "audio": Kind.SOUND, "video": Kind.VIDEO, "font": Kind.FILE}
_BINARY = {
    "application/gzip",
    "application/java-archive",
    "application/msword",
    "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/x-7z-compressed",
    "application/x-bzip2",
    "application/x-msdownload",
    "application/x-tar",
    "application/zip",
}


def kind_of(name: str, content_type: str = "") -> Kind:
    """The kind of a file called `name`, of which the platform says `content_type` (or nothing).

    A file of which neither says anything may be text: reading it tells.
    """
    if kind := _BY_SUFFIX.get(PurePosixPath(name).suffix.lower()):
        return kind
    guessed = mimetypes.guess_type(name)[0]
    for type_ in (content_type.partition(";")[0].strip().lower(), guessed or ""):
        family = _BY_FAMILY.get(type_.partition("/")[0])
        if kind := _BY_TYPE.get(type_, family):
            return kind
        if type_ in _BINARY:
            return Kind.FILE
    return Kind.TEXT
