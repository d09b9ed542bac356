"""Bytes of a file become text, in a process of its own where that takes a parser."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import bot
from bot.documents.kinds import Kind
from bot.documents.plain import plain_text
from bot.documents.problems import FileProblem, UnreadableFile

SECONDS = 30.0
"""Of wall time for one file; of CPU time it has less (`__main__.py`)."""
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Document:
    """A file's text; `cut` where the file has more."""

    text: str
    cut: bool = False


async def read_document(
    data: bytes, kind: Kind, limit: int, *, complete: bool = True, seconds: float = SECONDS
) -> Document:
    """The file's text, at most `limit` bytes of it in UTF-8.

    `complete`: whether `data` is the whole file; of one that is parsed it has to be. Raises
    UnreadableFile.
    """
    if kind.is_parsed and not complete:
        raise UnreadableFile(FileProblem.TOO_BIG)
    if kind is Kind.TEXT and (text := plain_text(data, complete=complete)) is not None:
        return _limited(text.encode("utf-8", "replace"), limit, cut=not complete)
    if not complete:
        data = data[: data.rfind(b"\n") + 1] or data  # what is after it may end in half a character
    document = await _extracted(data, kind, limit, seconds)
    return document if complete else Document(document.text, cut=True)


def _limited(text: bytes, limit: int, *, cut: bool) -> Document:
    """As much of the UTF-8 text as may be, with plain line ends."""
    shown = text[:limit].decode("utf-8", "ignore")  # a character that was cut in two is left out
    return Document(shown.replace("\r\n", "\n").replace("\r", "\n"), cut or len(text) > limit)


async def _extracted(data: bytes, kind: Kind, limit: int, seconds: float) -> Document:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.documents", kind.value),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(os.environ),
    )
    text = bytearray()
    try:
        async with asyncio.timeout(seconds):
            await _exchange(process, data, text, limit)
            status = await process.wait() if len(text) <= limit else 0
    except TimeoutError:
        status = FileProblem.TOO_SLOW
    finally:
        with suppress(ProcessLookupError):  # it has ended
            process.kill()
        await process.wait()
    if status and not text:
        raise UnreadableFile(_problem(status))
    return _limited(bytes(text), limit, cut=status != 0)


async def _exchange(
    process: asyncio.subprocess.Process, data: bytes, text: bytearray, limit: int
) -> None:
    """Give the file; add to `text` until it ends or is over `limit` bytes."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError, ConnectionResetError):  # it ended early, and its status says why
        process.stdin.write(data)
        await process.stdin.drain()
        process.stdin.close()
    while len(text) <= limit and (chunk := await process.stdout.read(_CHUNK)):
        text += chunk


def _environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """What Python needs to start, and nothing secret."""
    kept = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT")
    return {name: inherited[name] for name in kept if name in inherited} | {
        "PYTHONPATH": str(Path(bot.__file__).parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",  # openpyxl imports numpy where it is installed
    }


def _problem(status: int) -> FileProblem:
    """What an exit status says; below zero it is the signal that ended the process."""
    if status in set(FileProblem):
        return FileProblem(status)
    return FileProblem.TOO_SLOW if status == -signal.SIGXCPU else FileProblem.BROKEN
