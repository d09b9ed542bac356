"""The answer as the blocks of a part read it."""

from typing import NamedTuple

from bot.platforms.markdown.lines import Fence, FenceLine, fence_in, line_at, may_begin_fence
from bot.platforms.markdown.style import Style
from bot.platforms.markdown.tables import Table, header_of


class Open(NamedTuple):
    """A place where a part ends, and what is open there."""

    at: int = 0
    fence: Fence | None = None
    marks: tuple[str, ...] = ()
    table: Table | None = None


class Source(NamedTuple):
    """The answer up to `end`, as `style` counts and shows it, for parts of `limit`.

    tables, fences: whether they are looked for; what is not is shown as it is written.
    """

    text: str
    end: int
    limit: int
    style: Style
    tables: bool
    fences: bool = True

    def size(self, begin: int, end: int) -> int:
        return self.style.size(self.text, begin, end)

    def furthest(self, begin: int, room: int) -> int:
        """The furthest place up to which `room` is enough."""
        low, high = begin, min(self.end, begin + max(0, room))
        if self.size(begin, high) <= room:
            return high
        while low < high:
            middle = (low + high + 1) // 2
            if self.size(begin, middle) <= room:
                low = middle
            else:
                high = middle - 1
        return low

    def line(self, at: int) -> str:
        """A line, as far as a part has room for it."""
        return line_at(self.text, at, min(self.end, at + self.limit + 1))

    def fence_at(self, at: int) -> FenceLine | None:
        """The fence that begins with a line, or what looks like one."""
        if not self.fences or at >= self.end or not may_begin_fence(self.text, at):
            return None
        return fence_in(self.line(at))

    def table_at(self, at: int) -> Table | None:
        """The table that begins with a line."""
        if not self.tables or self.text.find("|", at, min(self.end, at + self.limit)) < 0:
            return None
        line = self.line(at)
        below = at + len(line) + 1
        if "|" not in line or below >= self.end or self.text[below] not in "|:- \t":
            return None
        rule = self.line(below)
        is_written = below + len(rule) < self.end  # or it may become one of more columns
        return header_of(line, rule) if is_written else None

    def begins_frame(self, at: int) -> bool:
        """Whether a fence or a table begins with a line."""
        return self.fence_at(at) is not None or self.table_at(at) is not None
