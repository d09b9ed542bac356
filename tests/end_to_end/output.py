"""What a bot writes, and waiting for it."""

import asyncio
import re

from tests.waiting import HANG_SECONDS

ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[@-Z=>]|\x1b(\[[0-?]*[ -/]*)?$"
)


class Output:
    """What a bot wrote so far. It may be fed from any thread."""

    def __init__(self) -> None:
        self.raw = b""
        self._seen = 0
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def feed(self, data: bytes) -> None:
        self.raw += data
        self._loop.call_soon_threadsafe(self._changed.set)

    @property
    def text(self) -> str:
        """Without escape sequences and carriage returns."""
        return ESCAPES.sub("", self.raw.decode(errors="replace")).replace("\r", "")

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
