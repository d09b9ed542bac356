"""A long answer as several messages, each of them whole Markdown."""

import re
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import NamedTuple

from wcwidth import iter_graphemes

MIN_LIMIT = 32  # below it a closed and reopened fence leaves no room for code

# A fence (CommonMark 0.31 section 4.5) behind the markers of the quotes and list items it is in.
# A backtick fence has no backtick in its info string: see `_Fence.is_opener`.
_FENCE = re.compile(
    r"(?P<prefix>(?:[ \t]*(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t])))*[ \t]*)"
    r"(?P<marker>`{3,}|~{3,})(?P<info>[^\n]*)"
)
# What would become a block of its own if a message began with it.
_BLOCK = re.compile(r"```|~~~|>|[-+*][ \t]|#{1,6}[ \t]|\d{1,9}[.)][ \t]")
_MARKER_LIKE = re.compile(r"[ \t]*[`~]*[ \t]*")
_MARKER = re.compile(r" {0,3}(?:```|~~~)")
_ZERO_WIDTH_SPACE = "\u200b"  # keeps the above, at the start of a message, the text it is
_BLANK_LINES = re.compile(r"(?:[^\S\n]*\n)*")
_INDENT = re.compile(r"[^\S\n]*")
_WORD_BORDER = re.compile(r"[^\S\n]+|(?<=[。！？…，、；：])")  # noqa: RUF001 (Chinese, Japanese)
_SPAN = re.compile(  # what is closed on its line; `\Z`: what is still open where the room ends
    r"(?P<code>`+)(?:.*?[^`](?P=code)(?!`)|.*\Z)"
    r"|(?<!\w)(?P<mark>\*{1,3}|_{1,3}|~~|\|\|)(?=\S)(?:.*?\S(?P=mark)|.*\Z)"
    r"|!?\[[^\]]*(?:\](?:\([^)]*(?:\)|\Z))?|\Z)"
    r"|<[^>\s]*(?:>|\Z)"
)
# The kinds of border at the end of a line, the best last.
_LINE, _BLANK_LINE_OF_CODE, _PARAGRAPH = range(3)


@dataclass(frozen=True)
class Part:
    """One message.

    text: what to send.
    source: the stretch of the answer that it shows. The sources of all parts, joined, are the
        answer. `text` is `source` without the white space at its end and the blank lines at its
        beginning (outside code, where it is kept), with fences closed and reopened.
    """

    text: str
    source: str


@dataclass(frozen=True)
class _Fence:
    """An open code fence."""

    prefix: str
    marker: str
    language: str

    @classmethod
    def of(cls, match: re.Match[str], limit: int) -> "_Fence":
        """The fence as it is reopened: what would not leave room for code is made shorter."""
        prefix = re.sub(r"[^>\s]", " ", match["prefix"])  # a list item is not begun again
        language = "".join(match["info"].split()[:1]).lstrip("~")  # or the marker grows
        return cls(
            prefix if len(prefix) <= limit // 8 else "",
            match["marker"][: max(3, limit // 8)],
            language if len(language) <= limit // 4 else "",
        )

    @staticmethod
    def is_opener(match: re.Match[str]) -> bool:
        return match["marker"][0] == "~" or "`" not in match["info"]

    @property
    def opening(self) -> str:
        return f"{self.prefix}{self.marker}{self.language}\n"

    @property
    def closing(self) -> str:
        return self.prefix + self.marker

    def holds(self, line: str) -> bool:
        """Whether the line is in the quote that the fence is in, if it is in one."""
        return ">" not in self.prefix or line.lstrip().startswith(">")

    def missing(self, line: str) -> int | None:
        """How many markers the line lacks to close the fence; None for a line of code."""
        line = line.expandtabs(4).rstrip()
        run = line.lstrip(" >" if ">" in self.prefix else " ")
        indent_at_most = max(3, len(self.prefix.expandtabs(4)))
        if set(run) != {self.marker[0]} or len(line) - len(run) > indent_at_most:
            return None
        return max(0, len(self.marker) - len(run))


class _Start(NamedTuple):
    """How a part begins."""

    at: int  # where in the answer
    opening: str  # what goes before it
    fence: _Fence | None  # the one that is open there
    continued: bool  # its first line is cut from its beginning: it opens and closes no fence


class _Border(NamedTuple):
    """A place between two lines where a part may end."""

    kind: int
    at: int
    fence: _Fence | None


def split_markdown(text: str, limit: int) -> list[Part]:
    """The messages in which an answer goes out, none over `limit` characters.

    Characters are code points, as Discord counts them (discord/discord-api-docs issue 1315).
    A part ends at the best border in the second half of its room: a paragraph's, else a line's,
    else a word's outside links, inline code, emphasis and spoilers, else between two graphemes;
    only what leaves no such place, like a link longer than half the room, is cut within. A code
    fence open at the end of a part is closed there and reopened, in its language, indentation and
    quote, at the start of the next one. An info string longer than half the room is not shown.
    A fence's marker still being written at the end of the text is completed.

    As the text grows, only the last part changes: the texts of `split_markdown(text)[:-1]` are the
    first ones of `split_markdown(text + more)`. Where a part ends depends only on what fits in it,
    on the white space after that, and on there being more.

    Text of white space alone has no parts. Fences are those of CommonMark, except that one in a
    list may be indented by any width, and HTML blocks are not looked at.
    Raises ValueError for a limit under `MIN_LIMIT`.
    """
    if limit < MIN_LIMIT:
        raise ValueError(f"limit is {limit}: a part needs at least {MIN_LIMIT} characters")
    parts: list[Part] = []
    end = len(text.rstrip())
    at, fence = 0, None
    while at < end:
        start = _start(text, at, end, fence, limit)
        cut, fence = _cut(text, start, end, limit)
        shown = text[start.at : cut]
        if fence:
            line = shown.rpartition("\n")[2]
            being_written = cut == end and (line != shown or not start.continued)
            if being_written and (missing := fence.missing(line)):
                shown += fence.marker[:missing]
            else:
                shown += "\n" * bool(line) + fence.closing
        else:
            shown = shown.rstrip()
        source = text[at:cut] if cut < end else text[at:]
        parts.append(Part(start.opening + shown, source))
        at = cut
    return parts


def _start(text: str, at: int, end: int, fence: _Fence | None, limit: int) -> _Start:
    """How the part begins that follows a cut at `at`, where `fence` was open."""
    continued = at > 0 and text[at - 1] != "\n"
    if fence and continued:
        guard = _ZERO_WIDTH_SPACE if _MARKER.match(text, at) else ""
        return _Start(at, fence.opening + fence.prefix + guard, fence, True)
    if fence and fence.holds(text[at : _line_end(text, at, end)]):
        return _Start(at, fence.opening, fence, False)
    at = _match_end(_BLANK_LINES, text, at)
    indent_end = _match_end(_INDENT, text, at)
    if indent_end - at > limit // 2:
        at, continued = indent_end, True
    if continued:
        return _Start(at, _ZERO_WIDTH_SPACE if _BLOCK.match(text, at) else "", None, True)
    line_end = _line_end(text, at, end)
    marked = _FENCE.match(text, at, line_end)
    if not marked or not _too_long(marked, limit):
        return _Start(at, "", None, False)
    if not _Fence.is_opener(marked):
        return _Start(at, _ZERO_WIDTH_SPACE, None, True)
    fence = _Fence.of(marked, limit)
    return _Start(min(line_end + 1, end), fence.opening, fence, False)


def _cut(text: str, start: _Start, end: int, limit: int) -> tuple[int, _Fence | None]:
    """Where the part ends that begins with `start`, and the fence open there."""
    room_end = start.at + limit - len(start.opening)
    at, fence = start.at, start.fence
    borders: list[_Border] = []
    while True:  # a line a turn, until one does not fit
        line_end = _line_end(text, at, end)
        line = text[at:line_end]
        first = at == start.at
        marked = None
        after = fence
        kept = len(fence.closing) + 1 if fence else 0  # the room that closing will need
        if not (first and start.continued):
            if fence and not fence.holds(line):
                borders.append(_Border(_PARAGRAPH, at, fence))
                fence, after, kept = None, None, 0
            if fence:
                missing = fence.missing(line)
                if missing == 0:
                    after, kept = None, 0
                elif missing and line_end == end:
                    kept = missing
            elif marked := _FENCE.match(line):
                opened = _Fence.of(marked, limit)
                after = opened if _Fence.is_opener(marked) else None
                kept = len(opened.closing) + 1  # even if not: its line may be still unfinished
        shown = line if after else line.rstrip()
        if at + len(shown) + kept > room_end:
            break
        if marked and not first and _too_long(marked, limit):
            break
        if line_end == end:
            return end, after
        next_line = line_end + 1 if after else _match_end(_BLANK_LINES, text, line_end)
        if after and fence:
            kind = _LINE if line.strip() else _BLANK_LINE_OF_CODE
            borders.append(_Border(kind, next_line, after))
        elif not after:
            blank = text.count("\n", line_end, next_line) > 1
            paragraph = fence or blank or _FENCE.match(text, next_line, room_end)
            borders.append(_Border(_PARAGRAPH if paragraph else _LINE, next_line, None))
        at, fence = next_line, after

    half = (start.at + room_end) // 2
    last = room_end - (len(fence.closing) + 1 if fence else 0)
    low = max(half, at) + 1
    if fence:  # what looks like a fence's marker is not cut off from the code after it
        low = max(low, _match_end(_MARKER_LIKE, text, at) + 1)
    good = [border for border in borders if border.at >= half]
    if borders and (good or last < low or (marked and not first)):
        best = max(good or borders, key=lambda border: border[:2])
        return best.at, best.fence
    cut = _cut_line(text, at, line_end, low, last, in_code=fence is not None)
    if fence and not (first and start.continued) and fence.missing(text[at:cut]) == 0:
        fence = None
    return cut, fence


def _cut_line(text: str, at: int, line_end: int, low: int, last: int, *, in_code: bool) -> int:
    """The best place from `low` to `last` to cut the line that begins at `at`."""
    spans = [] if in_code else [span.span() for span in _SPAN.finditer(text, at, last)]

    def outside(place: int) -> bool:
        return not any(a < place < b or place == b == last for a, b in spans)

    # White space may go on beyond `last` where it is not shown, outside code.
    found = _WORD_BORDER.finditer(text, low, last if in_code else line_end)
    words = [word.span() for word in takewhile(lambda word: word.start() <= last, found)]
    # Whether `last` is a border between graphemes shows in the character after it.
    borders = accumulate(map(len, iter_graphemes(text[at : last + 1])), initial=at)
    graphemes = [place for place in borders if low <= place <= last]
    return (
        max((b for a, b in words if outside(a)), default=0)
        or max(filter(outside, graphemes), default=0)
        or max((b for _, b in words), default=0)
        or max(graphemes, default=last)
    )


def _too_long(marked: re.Match[str], limit: int) -> bool:
    """Whether the line of a fence would leave too little room for code."""
    most = limit // 8
    return (
        len(marked[0]) > limit // 2 or len(marked["prefix"]) > most or len(marked["marker"]) > most
    )


def _line_end(text: str, at: int, end: int) -> int:
    found = text.find("\n", at, end)
    return end if found < 0 else found


def _match_end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
