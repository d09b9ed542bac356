"""What a line of Markdown is: where its content begins, and the code fences.

Only as much of CommonMark's blocks as tells where a message may end. markdown-it-py reads the
same, but needs up to 600 ms for 30,000 characters, and this runs at every update of an answer.
"""

import re
from functools import lru_cache
from typing import NamedTuple

ZERO_WIDTH_SPACE = "\u200b"
"""Before what would begin a block it keeps that the text it is."""
BLANK_LINES = re.compile(r"\n\s*\n")
"""Between two paragraphs."""
_CONTAINERS = " \t>-*+0123456789"


def line_at(text: str, at: int, end: int) -> str:
    """The rest of the line, up to `end`."""
    found = text.find("\n", at, end)
    return text[at : end if found < 0 else found]


def rstrip_end(text: str, begin: int, end: int) -> int:
    """Where the text before `end` ends without its white space, not before `begin`."""
    while end > begin and text[end - 1].isspace():
        end -= 1
    return end


def white_space_end(text: str, at: int, end: int) -> int:
    """Where the white space ends that begins at `at`."""
    while at < end and text[at].isspace():
        at += 1
    return at


def blank_lines_end(text: str, at: int, end: int) -> int:
    """Where the blank lines end that begin at a line's beginning `at`."""
    place = at
    while place < end and text[place].isspace():
        place += 1
        if text[place - 1] == "\n":
            at = place
    return at


def content_start(line: str) -> int:
    """Where a line's content begins: after its indentation and the markers of quotes and lists."""
    at, end = 0, len(line)
    while at < end:
        if line[at] in " \t>":
            at += 1
            continue
        marker = at + 1
        if line[at] in "0123456789":
            while marker < end and line[marker] in "0123456789" and marker - at < 9:
                marker += 1
            if line[marker : marker + 1] not in (".", ")"):
                break
            marker += 1
        elif line[at] not in "-*+":
            break
        if line[marker : marker + 1] not in (" ", "\t"):
            break
        at = marker
    return at


def begins_block(text: str) -> bool:
    """Whether a message would begin with a block's marker if it began so."""
    hashes = len(text) - len(text.lstrip("#"))
    if 0 < hashes <= 6 and text[hashes : hashes + 1] in (" ", "\t", "\n"):
        return True
    return text.startswith(("```", "~~~")) or (text[:1] not in " \t" and content_start(text) > 0)


class Fence(NamedTuple):
    """An open code fence (CommonMark 0.31 section 4.5).

    prefix: the markers of the quotes and the indentation before it.
    language: the first word after the marker.
    """

    prefix: str
    marker: str
    language: str

    @property
    def in_quote(self) -> bool:
        return ">" in self.prefix

    @property
    def opening(self) -> str:
        return f"{self.prefix}{self.marker}{self.language}\n"

    @property
    def closing(self) -> str:
        return self.prefix + self.marker

    def reopened(self) -> "Fence":
        """As it is opened in the next message: where the list is not begun again, at the margin."""
        return self._replace(prefix=self.prefix if self.in_quote else "")

    def holds(self, line: str) -> bool:
        """Whether the line is in the quote that the fence is in, if it is in one."""
        return not self.in_quote or line.lstrip().startswith(">")

    def missing(self, line: str) -> int | None:
        """How many signs the line, as far as it is written, lacks to close the fence.

        None for a line of code, which closes it with none.
        """
        if "\t" in line:
            line = line.expandtabs(4)
        line = line.rstrip()
        run = line.lstrip(" >" if self.in_quote else " ")
        if run.strip(self.marker[0]):
            return None
        if len(line) - len(run) > max(3, len(self.prefix.expandtabs(4))):
            return None
        return max(0, len(self.marker) - len(run))


class FenceLine(NamedTuple):
    """A line that begins like a fence. `marker_at`, `info_at`: offsets in the line.

    opens: False if it only looks so: a fence of backticks has none after it.
    """

    fence: Fence
    marker_at: int
    info_at: int
    opens: bool


@lru_cache(maxsize=256)
def fence_in(line: str) -> FenceLine | None:
    """The fence that a line begins with; None if there is none."""
    if "```" not in line and "~~~" not in line:
        return None
    marker_at = 0 if line[0] in "`~" else content_start(line)
    if not line.startswith(("```", "~~~"), marker_at):
        return None
    sign = line[marker_at]
    info = line[marker_at:].lstrip(sign)
    info_at = len(line) - len(info)
    words = info.split(maxsplit=1)
    language = words[0].lstrip("~") if words else ""  # or the marker would grow
    prefix = "".join(c if c in " \t>" else " " for c in line[:marker_at]) if marker_at else ""
    fence = Fence(prefix, line[marker_at:info_at], language)
    return FenceLine(fence, marker_at, info_at, opens=sign == "~" or "`" not in info)


def fence_open_at(text: str, place: int) -> Fence | None:
    """The fence that is open at a place."""
    fence, at = None, 0
    while (end := text.find("\n", at, place)) >= 0:
        line, at = text[at:end], end + 1
        if fence is None or not fence.holds(line):
            found = fence_in(line)
            fence = found.fence if found and found.opens else None
        elif fence.missing(line) == 0:
            fence = None
    return fence


def may_begin_fence(text: str, at: int) -> bool:
    """Whether the line at `at` is worth a closer look."""
    return text[at] in "`~" or text[at] in _CONTAINERS
