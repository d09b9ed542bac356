"""A code fence, closed where a part ends and opened again in the next."""

import re
from functools import lru_cache
from itertools import chain

from bot.platforms.markdown.allowance import Allowance
from bot.platforms.markdown.lines import (
    ZERO_WIDTH_SPACE,
    Fence,
    FenceLine,
    blank_lines_end,
    rstrip_end,
)
from bot.platforms.markdown.prose import grapheme_borders, word_borders
from bot.platforms.markdown.source import Open, Source
from bot.platforms.markdown.style import Piece

LONGEST_LANGUAGE = 32


_BLANK_LINE = re.compile(r"^[^\S\n]*\n", re.MULTILINE)


@lru_cache(maxsize=64)
def _other_line(marker: str, *, in_quote: bool) -> re.Pattern[str]:
    """A line that may close the fence, or is out of its quote."""
    quote = ">" if in_quote else ""
    kinds = [rf"(?P<closing>[ \t{quote}]*{marker}{marker[0]}*)[^\S\n]*$"]
    kinds += [r"(?![^\S\n]*>)"] * in_quote
    return re.compile(rf"^(?:{'|'.join(kinds)})", re.MULTILINE)


@lru_cache(maxsize=64)
def _margin(prefix: str) -> re.Pattern[str]:
    """How much of a list's indentation a line has."""
    return re.compile(rf"^(?:{re.escape(prefix)}| {{1,{len(prefix)}}})", re.MULTILINE)


class Code:
    """A fence from `begin` on: its opening line, or code where the part before has that.

    continued: whether the part before ended within a line of code.
    """

    def __init__(
        self,
        source: Source,
        begin: int,
        room: int,
        opened: FenceLine | Fence,
        *,
        continued: bool = False,
    ) -> None:
        self.source, self.begin, self._room = source, begin, room
        self._continued = continued
        self._edits: list[tuple[int, int, str]] = []
        self._at, self._dedent, self._opening = begin, 0, ""
        if isinstance(opened, FenceLine):
            self.fence = self._here = self._open(opened)
        else:
            self.fence, self._here = opened, opened.reopened()
            self._open_again()
        self._used = len(self._opening) + sum(len(new) for _, _, new in self._edits)
        self._used += source.size(begin, self._at)
        self._missing = 0
        self._code_begin = self._at
        self._end_line: re.Match[str] | None = None
        self._looked_until = begin
        """The first line that may be no code, and up to where it was looked for."""
        self.closed = self._left_its_quote = False
        self.visited = self._at - begin
        self.end, self.whole = self._read()
        self.size = self._used

    def _open(self, line: FenceLine) -> Fence:
        source, fence = self.source, line.fence
        if len(fence.prefix) > source.limit // 8:
            fence = fence._replace(prefix="")
        info = self.begin + line.info_at
        stop = self.begin + len(source.line(self.begin))
        longest = min(LONGEST_LANGUAGE, source.limit // 4)
        if len(fence.language) > longest or stop - info > source.limit // 4:
            # Too long for a language: platforms would not show it, so it is the first code.
            self._edits.append((info, info, "\n"))
            self._at, self._continued = info, True
            return fence._replace(language="")
        self._at = min(stop + 1, source.end)
        return fence

    def _open_again(self) -> None:
        text, at = self.source.text, self.begin
        self._opening = self._here.opening
        if self._continued:
            is_marker = text[at : at + 64].lstrip(" ").startswith(("```", "~~~"))
            self._opening += self._here.prefix + (ZERO_WIDTH_SPACE if is_marker else "")
        self._dedent = 0 if self.fence.in_quote else len(self.fence.prefix)

    def _read(self) -> tuple[int, bool]:
        source, fence, at, first = self.source, self.fence, self._at, self._continued
        text, end = source.text, source.end
        closing = len(self._here.closing) + 1
        if self._used + closing > self._room:
            return at, False
        if not self._dedent and (after := self._whole(closing)) is not None:
            return after, True
        while at < end:
            if not first:
                at = self._skip(at, closing)
            stop = min(end, at + max(0, self._room - self._used) + self._dedent + 1)
            newline = text.find("\n", at, stop)
            line_end = stop if newline < 0 else newline
            self.visited += line_end - at + 1
            if not first and not fence.holds(text[at:line_end]):
                self._left_its_quote = True
                self._used += closing  # for which every line before left room
                return at, True
            missing = None if first else fence.missing(text[at:line_end])
            found = _margin(fence.prefix).match(text, at, line_end) if self._dedent else None
            margin = found.end() - at if found else 0
            first = False
            kept = 0 if missing == 0 else missing if missing and line_end == end else closing
            shown = rstrip_end(text, at + margin, line_end) if missing == 0 else line_end
            size = self._used + source.size(at + margin, shown)
            self._at = at
            if (newline < 0 and stop < end) or size + kept > self._room:
                return at, False
            if newline >= 0 and missing != 0:
                self._add_lines(at, newline + 1)
                at = newline + 1
                continue
            if margin:
                self._edits.append((at, at + margin, ""))
            if missing == 0:
                self.closed = True
                after = end if newline < 0 else blank_lines_end(text, newline + 1, end)
                self.visited += after - line_end
                self._used += source.size(at + margin, after)
                return after, True
            self._missing = missing or 0
            return end, True
        return end, True

    def _code_end(self, at: int, until: int) -> re.Match[str] | None:
        """The first line from `at` on that may end the code; None if `until` comes first."""
        known, fence = self._end_line, self.fence
        if known is None and until <= self._looked_until:
            return None
        if known is None or known.start() < at:
            lines = _other_line(fence.marker, in_quote=fence.in_quote)
            found = lines.finditer(self.source.text, at, until)
            known = self._end_line = next(filter(self._may_end, found), None)
            self._looked_until = until
            self.visited += (known.start() if known else until) - at
        return known if known and known.start() < until else None

    def _may_end(self, line: re.Match[str]) -> bool:
        closing, fence = line["closing"], self.fence
        return closing is None or not fence.holds(closing) or fence.missing(closing) == 0

    def _whole(self, closing: int) -> int | None:
        """Where it ends if its end has room: the line that closes it, or the end of its quote."""
        source, fence, at = self.source, self.fence, self._at
        until = min(source.end, at + self._room - self._used + 1)
        found = self._code_end(at, until)
        if found is None:
            return None
        self.visited += found.end() - found.start()
        text, line = source.text, found["closing"]
        if line is None or not fence.holds(line):
            used = self._used + source.size(at, found.start()) + closing
            if used > self._room or fence.holds(source.line(found.start())):
                return None
            self._used, self._left_its_quote = used, True
            return found.start()
        if found.end() >= source.end or text[found.end()] != "\n":
            return None
        if self._used + source.size(at, found.end("closing")) > self._room:
            return None
        after = blank_lines_end(text, found.end() + 1, source.end)
        self.visited += after - found.end()
        self._used += source.size(at, after)
        self.closed = True
        return after

    def _skip(self, at: int, closing: int) -> int:
        """Where the lines from `at` on end that are nothing but code and have room."""
        source, left = self.source, self._room - self._used - closing
        until = min(source.end, at + max(0, left) + 1)
        other = self._code_end(at, until)
        last = other.start() if other else until
        if left < 0 or last <= at:
            return at
        if source.size(at, last) > left:
            last = source.furthest(at, left) + 1
        stop = source.text.rfind("\n", at, last) + 1
        if stop <= at:
            return at
        self._add_lines(at, stop)
        return stop

    def _add_lines(self, at: int, stop: int) -> None:
        """Add whole lines of code, without their list's indentation where it is not begun again."""
        source = self.source
        self._used += source.size(at, stop)
        if self._dedent:
            margins = _margin(self.fence.prefix).finditer(source.text, at, stop)
            edits = [(margin.start(), margin.end(), "") for margin in margins]
            self._used -= sum(until - begin for begin, until, _ in edits)
            self._edits += edits

    def _last_lines(self) -> list[tuple[int, int]]:
        """Where a line begins after a blank one and where the last one does, and the size up to
        there."""
        source, end = self.source, self._at
        if end <= self._code_begin:
            return []
        self.visited += end - self._code_begin
        blank = [*_BLANK_LINE.finditer(source.text, self._code_begin, end)][-1:]
        after = [line.end() for line in blank]
        return [(at, self._used - self._size_without_margins(at, end)) for at in (*after, end)]

    def _size_without_margins(self, begin: int, end: int) -> int:
        margins = sum(until - at for at, until, _ in self._edits if at >= begin)
        return self.source.size(begin, end) - margins

    def cut(self, least: int) -> Open | None:
        """Where a part ends in it, of which `least` is shown if that is possible."""
        lines = self._last_lines()
        for line, size in lines:
            if size >= least:
                return Open(line, self.fence)
        source, at = self.source, self._at
        closing = len(self._here.closing) + 1
        left = self._room - self._used - closing
        last = source.furthest(at, left) if left >= 0 else self.begin
        low = max(source.furthest(at, least - self._used), at + 1)
        written = source.line(at)
        signs = written.lstrip(" \t").lstrip("`~").lstrip(" \t")
        looks_like_a_marker = len(signs) < len(written.lstrip(" \t"))
        if looks_like_a_marker:
            low = max(low, at + len(written) - len(signs) + 1)  # or it would end the code here
        if last < low:
            if lines:
                return Open(at, self.fence)
            if looks_like_a_marker:  # two of its signs don't end the code
                last = min(last, at + len(written) - len(written.lstrip(" \t")) + 2)
            return None if last <= self.begin else Open(last, self.fence)
        self.visited += last - low
        words = word_borders(source.text, low, last)
        graphemes = grapheme_borders(source.text, at, low, last)
        return Open(next(chain(words, graphemes), last), self.fence)

    def shown(self, stop: Open, allowance: Allowance) -> list[Piece]:
        """What is sent of it up to the part's end, or to its own."""
        text, at = self.source.text, self.begin
        end = min(stop.at, self.end) if self.whole else stop.at
        shown = [self._opening]
        for begin, until, new in self._edits:
            if until <= end:
                shown += [text[at:begin], new]
                at = until
        body = "".join([*shown, text[at:end]])
        if self.closed and end == self.end:
            return [body]
        if self._left_its_quote and end == self.end:
            return [body + self._here.closing + "\n"]
        if self._missing and end == self.source.end:
            return [body + self.fence.marker[: self._missing]]
        return [body + "\n" * (not body.endswith("\n")) + self._here.closing]
