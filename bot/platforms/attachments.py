"""The files of a conversation: fetched, read as text, and told to the model and the person."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from bot.conversation.events import Attachment, Message
from bot.conversation.in_effect import InEffect
from bot.documents.kinds import Kind, kind_of
from bot.documents.problems import UnreadableFile
from bot.documents.reading import Document, read_document
from bot.platforms.download import Downloader, NotFetched

log = structlog.get_logger()

DOCUMENT_BYTES = 25 << 20
"""Received of a file that a parser needs whole. Of text there is no more than may be shown."""
REMEMBERED_FILES, REMEMBERED_CHARACTERS = 500, 16 << 20
"""Of what was read, so that a thread's files aren't fetched again in every turn."""
AT_ONCE = 4

CUT = "only its beginning"
REASONS = {
    "file_unseen": "you can't see or hear it",
    "file_not_text": "it isn't text, you can't read it",
    "file_broken": "it is damaged, you can't read it",
    "file_encrypted": "it has a password, you can't read it",
    "file_empty": "it has no text that can be read",
    "file_too_big": "it is too large, you can't read it",
    "file_too_slow": "reading it took too long",
    "file_failed": "it couldn't be fetched",
    "file_gone": "it was deleted, you can't read it",
    "file_hidden": "it is no longer available, you can't read it",
    "file_canvas": "it is a canvas, you only know its title",
    "file_elsewhere": "it is kept on another site, you can't read it",
    "file_skipped": "there are too many files, this one wasn't read",
}
"""What the model is told about a file without text, by the key of what the person is told."""


@dataclass(frozen=True)
class File:
    """A file as its platform names it.

    id: of this version of the file.
    problem: one of REASONS, where the platform's own word is that it can't be had.
    """

    id: str
    name: str
    url: str = ""
    content_type: str = ""
    problem: str = ""

    @property
    def kind(self) -> Kind:
        return kind_of(self.name, self.content_type)


@dataclass(frozen=True)
class MessageWithFiles:
    """A message whose files aren't read yet."""

    message: Message
    files: Sequence[File] = ()


FileResult = Document | str
"""A file's text, or one of REASONS."""


class Attachments:
    """Reads the files of one platform."""

    def __init__(self, downloader: Downloader) -> None:
        self._downloader = downloader
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._read: OrderedDict[tuple[str, int], FileResult] = OrderedDict()

    async def first(
        self, files: Sequence[File], limit: int, credentials: Mapping[str, str] | None = None
    ) -> tuple[str, bytes] | None:
        """The name and the contents of the first file, at most `limit` bytes. Raises NotFetched."""
        if not files:
            return None
        if files[0].problem:
            raise NotFetched(files[0].problem)
        fetched = await self._downloader.fetch(files[0].url, limit, credentials)
        if not fetched.complete:
            raise NotFetched(f"it is larger than {limit} bytes")
        return files[0].name, fetched.data

    async def fill(
        self,
        unread_messages: Sequence[MessageWithFiles],
        here: InEffect,
        credentials: Mapping[str, str] | None = None,
    ) -> list[Message]:
        """The messages with their files, and lines for the person about what can't be read.

        Oldest first. Where there are more files than may be read, the newest messages' are.
        """
        limits = here.config.conversation
        limit = limits.attachment_max_bytes
        wanted = [f for unread in reversed(unread_messages) for f in unread.files if _has_text(f)]
        chosen = {file.id: file for file in wanted[: limits.attachments_max if limit else 0]}
        read = await asyncio.gather(*(self._result(f, limit, credentials) for f in chosen.values()))
        results = dict(zip(chosen, read, strict=True))
        return [_with_files(unread, results, here) for unread in unread_messages]

    async def _result(
        self, file: File, limit: int, credentials: Mapping[str, str] | None
    ) -> FileResult:
        key = (file.id, limit)
        if key in self._read:
            self._read.move_to_end(key)
            return self._read[key]
        async with self._at_once:
            try:
                result: FileResult = await self._fetched(file, limit, credentials)
            except (NotFetched, OSError) as error:  # OSError: no process could be started
                log.warning("a file could not be fetched", file=file.id, reason=str(error))
                return "file_failed"  # it may be better next time
            except UnreadableFile as error:
                result = f"file_{error.problem.name.lower()}"
        self._remember(key, result)
        return result

    async def _fetched(
        self, file: File, limit: int, credentials: Mapping[str, str] | None
    ) -> Document:
        """Raises NotFetched, UnreadableFile."""
        kind = file.kind
        most = (
            DOCUMENT_BYTES if kind.is_parsed else 2 * limit
        )  # a character of UTF-16 has two bytes
        fetched = await self._downloader.fetch(file.url, most, credentials)
        if fetched.content_type == "text/html" and kind is not Kind.WEB_PAGE:
            raise NotFetched("the host sent a page in its place")  # to log in, say
        return await read_document(fetched.data, kind, limit, complete=fetched.complete)

    def _remember(self, key: tuple[str, int], result: FileResult) -> None:
        self._read[key] = result
        while (
            len(self._read) > REMEMBERED_FILES
            or sum(map(_length, self._read.values())) > REMEMBERED_CHARACTERS
        ):
            self._read.popitem(last=False)


def named_only(unread_messages: Sequence[MessageWithFiles]) -> list[Message]:
    """The messages with the names of their files, which aren't read."""
    return [
        replace(
            unread.message,
            attachments=[
                Attachment(file.name or "unnamed", None, _called(file.kind), "it wasn't read")
                for file in unread.files
            ],
        )
        for unread in unread_messages
    ]


def _has_text(file: File) -> bool:
    return not file.problem and file.kind.is_readable


def _length(result: FileResult) -> int:
    return len(result.text) if isinstance(result, Document) else 0


def _with_files(
    unread: MessageWithFiles, results: Mapping[str, FileResult], here: InEffect
) -> Message:
    limits, texts = here.config.conversation, here.texts
    attachments: list[Attachment] = []
    notices: list[str] = []
    unseen: list[str] = []
    for file in unread.files:
        result = file.problem or _unread(file) or results.get(file.id, "file_skipped")
        name, shown_name = file.name or "unnamed", file.name or texts("unnamed_file")
        if isinstance(result, Document):
            attachments.append(Attachment(name, result.text, note=CUT if result.cut else ""))
            if result.cut:
                limit = _size(limits.attachment_max_bytes)
                notices.append(texts("file_cut", name=shown_name, limit=limit))
            continue
        attachments.append(Attachment(name, None, _called(file.kind), REASONS[result]))
        told = unseen if result == "file_unseen" else notices
        told.append(texts(result, name=shown_name, count=limits.attachments_max))
    message = unread.message
    if not message.text and not any(a.text is not None for a in attachments):
        notices += unseen  # nothing else could be read: the model has only the names
    everything = (*message.notices, *notices)
    return replace(message, attachments=tuple(attachments), notices=everything)


def _size(count: int) -> str:
    """So many bytes, as people say it."""
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"


def _unread(file: File) -> str:
    """Why a file of its kind is never fetched; nothing where it is."""
    if file.kind is Kind.FILE:
        return "file_not_text"
    return "" if file.kind.is_readable else "file_unseen"


def _called(kind: Kind) -> str:
    return kind.value if kind in (Kind.PICTURE, Kind.SOUND, Kind.VIDEO) else "file"
