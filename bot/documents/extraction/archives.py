"""Office files are zip archives: what they may unpack to."""

from io import BytesIO
from zipfile import BadZipFile, ZipFile

from bot.documents.problems import FileProblem, UnreadableFile

UNPACKED_BYTES = 100 << 20
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""What Office wraps a file in that has a password:
https://learn.microsoft.com/openspecs/office_file_formats/ms-offcrypto"""


def checked(data: bytes) -> BytesIO:
    """The archive, if it may be unpacked.

    zipfile reads no more of a member than the size in the archive's directory, so the sizes there
    hold. Raises UnreadableFile.
    """
    if data.startswith(OLE_MAGIC):
        raise UnreadableFile(FileProblem.ENCRYPTED)
    try:
        with ZipFile(BytesIO(data)) as archive:
            members = archive.infolist()
    except BadZipFile as error:
        raise UnreadableFile(FileProblem.BROKEN) from error
    if sum(member.file_size for member in members) > UNPACKED_BYTES:
        raise UnreadableFile(FileProblem.TOO_BIG)
    if any(member.flag_bits & 1 for member in members):
        raise UnreadableFile(FileProblem.ENCRYPTED)
    return BytesIO(data)
