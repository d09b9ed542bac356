"""A code fence, closed where a part ends and opened again in the next."""

import re
from functools import lru_cache
from itertools import chain, takewhile

from bot.platforms.markdown.formulas import Formulas
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
def _other_line(marker: str, *, in_quote: bool, in_list: bool) -> re.Pattern[str]:
    """A line that may close the fence, is out of its quote, or has its list's indentation."""
    quote = ">" if in_quote else ""
    kinds = [rf"[ \t{quote}]*{marker}{marker[0]}*[^\S\n]*$"]
    kinds += [r"(?![^\S\n]*>)"] * in_quote + [r"[ \t]"] * in_list
    return re.compile(rf"^(?:{'|'.join(kinds)})", re.MULTILINE)


@lru_cache(maxsize=64)
def _closing_line(marker: str) -> re.Pattern[str]:
    return re.compile(rf"^( {{0,3}}{marker}{marker[0]}*)[^\S\n]*\n", re.MULTILINE)


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
        self._last_line: tuple[int, int] | None = None
        self._last_after_blank: tuple[int, int] | None = None
        """Where the last line of code begins, and the last one after a blank one, and the size up
        to there."""
        self._at, self._dedent, self._opening = begin, 0, ""
        if isinstance(opened, FenceLine):
            self.fence = self._here = self._open(opened)
        else:
            self.fence, self._here = opened, opened.reopened()
            self._open_again()
        self._used = len(self._opening) + sum(len(new) for _, _, new in self._edits)
        self._used += source.size(begin, self._at)
        self._missing = 0
        self._other_line = _other_line(
            self.fence.marker, in_quote=self.fence.in_quote, in_list=self._dedent > 0
        )
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
        text, end, sign = source.text, source.end, fence.marker[0]
        closing = len(self._here.closing) + 1
        if self._used + closing > self._room:
            return at, False
        if not fence.prefix and (after := self._whole()) is not None:
            return after, True
        while at < end:
            if not first:
                at = self._skip(at, closing)
            stop = min(end, at + max(0, self._room - self._used) + self._dedent + 1)
            newline = text.find("\n", at, stop)
            line_end = stop if newline < 0 else newline
            self.visited += line_end - at + 1
            if not first and fence.in_quote and not fence.holds(text[at:line_end]):
                self._left_its_quote = True
                self._used += closing  # for which every line before left room
                return at, True
            missing = None
            if not first and text.find(sign, at, line_end) >= 0:
                missing = fence.missing(text[at:line_end])
            margin = 0 if first or not self._dedent else self._margin(at, line_end)
            first = False
            kept = 0 if missing == 0 else missing if missing and line_end == end else closing
            shown = rstrip_end(text, at + margin, line_end) if missing == 0 else line_end
            size = self._used + source.size(at + margin, shown)
            self._at = at
            if (newline < 0 and stop < end) or size + kept > self._room:
                return at, False
            if margin:
                self._edits.append((at, at + margin, ""))
            if missing == 0:
                self.closed = True
                after = end if newline < 0 else blank_lines_end(text, newline + 1, end)
                self.visited += after - line_end
                self._used += source.size(at + margin, after)
                return after, True
            if newline < 0:
                self._missing = missing or 0
                return end, True
            self._add_lines(at, at + margin, newline + 1)
            at = newline + 1
        return end, True

    def _skip(self, at: int, closing: int) -> int:
        """Where the lines from `at` on end that are nothing but code and have room."""
        source, left = self.source, self._room - self._used - closing
        until = min(source.end, at + max(0, left) + 1)
        other = self._other_line.search(source.text, at, until)
        last = other.start() if other else until
        if left < 0 or last <= at:
            return at
        if source.size(at, last) > left:
            last = source.furthest(at, left) + 1
        stop = source.text.rfind("\n", at, last) + 1
        if stop <= at:
            return at
        self.visited += stop - at
        self._add_lines(at, at, stop)
        return stop

    def _add_lines(self, at: int, shown: int, stop: int) -> None:
        """Add whole lines, of which the first is shown from `shown` on."""
        source = self.source
        self._used += source.size(shown, stop)
        after = max((m.end() for m in _BLANK_LINE.finditer(source.text, at, stop)), default=0)
        if after:
            self._last_after_blank = (after, self._used - source.size(after, stop))
        self._last_line = (stop, self._used)

    def _whole(self) -> int | None:
        """Where it ends if it is closed at the margin and there is room for all of it."""
        source, at = self.source, self._at
        until = min(source.end, at + self._room - self._used + 1)
        found = _closing_line(self.fence.marker).search(source.text, at, until)
        if found is None or self._used + source.size(at, found.end(1)) > self._room:
            return None
        after = blank_lines_end(source.text, found.end(), source.end)
        self.visited += after - at
        self._used += source.size(at, after)
        self.closed = True
        return after

    def _margin(self, at: int, line_end: int) -> int:
        """How much of the list's indentation a line has, which its code has none of here."""
        line = self.source.text[at : min(at + self._dedent, line_end)]
        same = takewhile(
            lambda pair: pair[0] == pair[1], zip(line, self.fence.prefix, strict=False)
        )
        return sum(1 for _ in same)

    def cut(self, least: int) -> Open | None:
        """Where a part ends in it, of which `least` is shown if that is possible."""
        for line in (self._last_after_blank, self._last_line):
            if line is not None and line[1] >= least:
                return Open(line[0], self.fence)
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
            if self._last_line is not None:
                return Open(self._last_line[0], self.fence)
            if looks_like_a_marker:  # two of its signs don't end the code
                last = min(last, at + len(written) - len(written.lstrip(" \t")) + 2)
            return None if last <= self.begin else Open(last, self.fence)
        self.visited += last - low
        words = word_borders(source.text, low, last)
        graphemes = grapheme_borders(source.text, at, low, last)
        return Open(next(chain(words, graphemes), last), self.fence)

    def shown(self, stop: Open, formulas: Formulas) -> list[Piece]:
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
