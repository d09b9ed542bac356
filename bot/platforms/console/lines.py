"""Lines from standard input, without blocking the event loop."""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StdinLines:
    """Reads standard input while `reading`; lines that nobody took stay for later.

    Works for pipes, terminals and files. The descriptor is never made non-blocking: a terminal
    shares that flag with standard output.
    """

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._partial = b""
        self._lines: deque[str] = deque()
        self._arrived = asyncio.Event()
        self._ended = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Listen to the descriptor only inside this block."""
        loop = asyncio.get_running_loop()
        try:
            if not self._ended:
                loop.add_reader(self._descriptor, self._read)
        except PermissionError:  # a plain file: epoll refuses it, and it never blocks
            while not self._ended:
                self._read()
        try:
            yield
        finally:
            loop.remove_reader(self._descriptor)

    async def next(self, wanted: Callable[[str], bool] = lambda line: True) -> str | None:
        """The first line that is `wanted`, without its end; None at the end of the input."""
        while True:
            self._arrived.clear()
            for line in self._lines:
                if wanted(line):
                    self._lines.remove(line)
                    return line
            if self._ended:
                return None
            await self._arrived.wait()

    @property
    def waiting(self) -> bool:
        """Whether there is a line, or the input's end, that nobody took yet."""
        return bool(self._lines) or self._ended

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # the terminal is gone
            data = b""
        *lines, self._partial = (self._partial + data).split(b"\n")
        if not data:
            self._ended = True
            asyncio.get_running_loop().remove_reader(self._descriptor)
            lines = [self._partial] if self._partial else []
        self._lines.extend(line.decode(errors="replace").rstrip("\r") for line in lines)
        self._arrived.set()
