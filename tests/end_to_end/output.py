"""What a bot writes, and waiting for it."""

import asyncio
import re
from codecs import getincrementaldecoder

from tests.waiting import HANG_SECONDS

ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[@-Z=>]|\r")
BEGUN = re.compile(r"\x1b(\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?)?$")
"""An escape sequence whose end may still come."""


class Output:
    """What a bot wrote so far. It may be fed from any thread."""

    def __init__(self) -> None:
        self.raw = b""
        self._decoder = getincrementaldecoder("utf-8")(errors="replace")
        self._decoded = 0
        self._plain = self._begun = ""
        self._seen = 0
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def feed(self, data: bytes) -> None:
        self.raw += data
        self._loop.call_soon_threadsafe(self._changed.set)

    @property
    def text(self) -> str:
        """Without escape sequences and carriage returns."""
        new, self._decoded = self.raw[self._decoded :], len(self.raw)
        text = self._begun + self._decoder.decode(new)
        begun = BEGUN.search(text)
        end = begun.start() if begun else len(text)
        self._plain += ESCAPES.sub("", text[:end])
        self._begun = text[end:]
        return self._plain

    async def see(self, pattern: str, seconds: float = HANG_SECONDS) -> str:
        """Wait for the regular expression after what was seen before; the text up to its end."""
        try:
            async with asyncio.timeout(seconds):
                while not (match := re.compile(pattern).search(self.text, self._seen)):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"no {pattern!r} in {self.text[self._seen :][-600:]!r}") from None
        seen, self._seen = self._seen, match.end()
        return self.text[seen : match.end()]
