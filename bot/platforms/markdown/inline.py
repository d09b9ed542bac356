"""Where a line may be cut so that no code, link, formula or emphasis is broken.

One pass from left to right (markdown-it-py needs up to 1,200 ms for 30,000 characters of opening
brackets). It is not CommonMark to the letter: where the two differ, a cut is less well placed.
"""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field

MARKS = "*_~|`"
DEEPEST = 6
"""Marks open at once; more is noise, not emphasis."""
LONGEST_CODE_MARK = 4
CHARACTERS_FOR_A_SIGN = 10
FEW_SIGNS = 20
"""Signs that are read in any text, besides one for so many characters: beyond, they are noise."""
_SIGNS = re.compile(r"`+|\*+|_+|~+|\|+|\[+|<+|[\\$]")
_BACKTICKS = re.compile("`+")
_IN_FORMULAS = ("\\", "^", "_{")
"""What tells a formula between single dollar signs from prices."""
FORMULAS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$", "$": "$"}
"""How formulas begin and end."""


@dataclass
class Inline:
    """What `scan` found in `text`.

    atoms: stretches that are not cut, in order: links, formulas, marks, code that is closed.
    marks: the marks that are open from each of `places` on.
    visited: how many characters were looked at.
    """

    text: str
    atoms: list[tuple[int, int]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    marks: list[tuple[str, ...]] = field(default_factory=list)
    visited: int = 0

    def marks_at(self, place: int) -> tuple[str, ...]:
        """The marks that are open at a place, the outermost first."""
        return self.marks[bisect_right(self.places, place) - 1]

    def in_code(self, place: int) -> bool:
        """Whether a place is within code that is closed."""
        at = bisect_left(self.atoms, (place, 0)) - 1
        if at < 0 or not self.atoms[at][0] < place < self.atoms[at][1]:
            return False
        return self.text[self.atoms[at][0]] == "`"

    def outside_atoms(self, low: int, last: int) -> bytearray:
        """Of each place from `low` to `last`, whether a cut there goes through no atom."""
        outside = bytearray(b"\1") * (last + 1 - low)
        for begin, end in self.atoms[bisect_left(self.atoms, (low, 0)) - 1 :] if self.atoms else ():
            first, stop = max(begin + 1, low), min(end, last + 1)
            if first < stop:
                outside[first - low : stop - low] = bytes(stop - first)
        return outside


def scan(text: str, at: int, end: int, marks: tuple[str, ...] = ()) -> Inline:
    """Read `text[at:end]`, at whose beginning `marks` are open.

    Where there are more signs than people write, the rest is read as plain text.
    """
    return _Scan(text, at, end, marks).run()


class _Scan:
    def __init__(self, text: str, at: int, end: int, marks: tuple[str, ...]) -> None:
        self.text, self.at, self.begin, self.end = text, at, at, end
        self.found = Inline(text, places=[at], marks=[marks], visited=end - at)
        self.stack = list(marks)
        self._next: dict[str, int] = {}
        self._runs: dict[int, list[int]] | None = None
        """Where the runs of each number of backticks begin."""
        self._has_formulas = any(text.find(sign, at, end) >= 0 for sign in _IN_FORMULAS)
        """Whether a pair of dollar signs can be one."""

    def run(self) -> Inline:
        text, end = self.text, self.end
        if self.stack and self.stack[-1][0] == "`":
            self._code_goes_on()
        left = FEW_SIGNS + (end - self.at) // CHARACTERS_FOR_A_SIGN
        while (signs := _SIGNS.search(text, self.at, end)) is not None:
            if not left:
                self.stack.clear()
                self._remember()
                break
            left -= 1
            self.at, stop = signs.span()
            sign = text[self.at]
            if sign in "*_~|":
                self._mark(sign, stop)
            elif sign == "`":
                self._code(stop)
            elif sign == "[":
                self.at = stop - 1
                self._link()
            elif sign == "<":
                self.at = stop - 1
                self._reference()
            else:
                self._formula(sign)
        return self.found

    def _find(self, what: str, at: int) -> int:
        """Where `what` is next, or `end`; each is searched for once."""
        known = self._next.get(what, -1)
        if known < at:
            known = self.text.find(what, at, self.end)
            self._next[what] = known = self.end if known < 0 else known
        return known

    def _run_goes_on(self, stop: int) -> bool:
        """Whether the run of equal signs before `stop` goes on after the end."""
        return stop == self.end < len(self.text) and self.text[stop] == self.text[stop - 1]

    def _atom(self, stop: int) -> None:
        self.found.atoms.append((self.at, stop))
        self.at = stop

    def _remember(self) -> None:
        self.found.places.append(self.at)
        self.found.marks.append(tuple(self.stack))

    def _code_goes_on(self) -> None:
        """The text begins within code."""
        stop = self._closing_run(len(self.stack[-1]), self.at)
        if stop is None:
            self.at = self.end
            return
        self.at = stop
        self.stack.pop()
        self._remember()

    def _code(self, run_end: int) -> None:
        length = run_end - self.at
        stop = self._closing_run(length, run_end)
        if stop is not None:
            self._atom(stop)
        elif self._run_goes_on(run_end):
            self._atom(self.end + 1)
        else:
            self._atom(run_end)
            if length <= LONGEST_CODE_MARK and len(self.stack) < DEEPEST:
                self.stack.append("`" * length)
                self._remember()
                self.at = self.end

    def _closing_run(self, length: int, at: int) -> int | None:
        """Where code ends that was opened by `length` backticks."""
        if self._runs is None:
            self._runs = defaultdict(list)
            for run in _BACKTICKS.finditer(self.text, self.begin, self.end):
                self._runs[run.end() - run.start()].append(run.start())
        runs = self._runs.get(length, [])
        next_one = bisect_left(runs, at)
        return runs[next_one] + length if next_one < len(runs) else None

    def _formula(self, sign: str) -> None:
        two = self.text[self.at : self.at + 2]
        if two in FORMULAS:
            stop = self._find(FORMULAS[two], self.at + 2)
            if stop < self.end:
                self._atom(stop + 2)
            else:
                self._may_go_on(2)
        elif sign == "\\":
            self.at += 2
        elif not self._has_formulas:
            self.at += 1
        else:
            stop = self._find("$", self.at + 1)
            if _is_formula(self.text, self.at + 1, stop):
                self._atom(stop + 1)
            else:
                self.at += 1

    def _link(self) -> None:
        close = self._find("]", self.at + 1)
        if close == self.end:
            self._may_go_on()
        elif self.text[close + 1 : close + 2] != "(":
            self.at += 1
        else:
            stop = self._find(")", close + 2)
            if stop == self.end:
                self._may_go_on()
            else:
                self._atom(stop + 1)

    def _reference(self) -> None:
        stop = self._find(">", self.at + 1)
        if min(self._find(" ", self.at), self._find("\n", self.at)) < stop:
            self.at += 1
        elif stop == self.end:
            self._may_go_on()
        else:
            self._atom(stop + 1)

    def _may_go_on(self, signs: int = 1) -> None:
        """What has no end here may have it further on: it is not cut if there is room before it.

        signs: how many it begins with.
        """
        if self.end - self.at <= (self.end - self.begin) // 2:
            self._atom(self.end + 1)
            self.at = self.end
        else:
            self.at += signs

    def _mark(self, sign: str, stop: int) -> None:
        text, begin = self.text, self.at
        length = stop - begin
        pair = sign in "~|"
        if self._run_goes_on(stop):
            self._atom(stop + 1)
            return
        self._atom(stop)
        if pair and length != 2:
            return
        before = text[begin - 1] if begin else " "
        after = text[stop] if stop < len(text) else " "
        word_before, word_after = before.isalnum(), after.isalnum()
        opens = word_after or not (word_before or after.isspace())
        closes = word_before or not (word_after or before.isspace())
        if sign == "_":
            opens, closes = opens and not word_before, closes and not word_after
        left = length
        if closes:
            left = self._close(sign, left)
        if opens and left == length and not pair:
            for mark in [sign] * (left % 2) + [sign * 2] * (left // 2):
                self._open(mark)
        elif opens and left == length:
            self._open(sign * 2)
        if len(self.stack) != len(self.found.marks[-1]) or left != length:
            self._remember()

    def _open(self, mark: str) -> None:
        if len(self.stack) < DEEPEST:
            self.stack.append(mark)

    def _close(self, sign: str, left: int) -> int:
        """Take what a run closes off the open marks; the signs of the run that are left."""
        while left:
            at = len(self.stack) - 1
            while at >= 0 and (self.stack[at][0] != sign or len(self.stack[at]) > left):
                at -= 1
            if at < 0:
                return left
            left -= len(self.stack[at])
            del self.stack[at:]
        return left


def _is_formula(text: str, begin: int, end: int) -> bool:
    """Whether what stands between two dollar signs is a formula, and no price."""
    inner, after = text[begin:end], text[end + 1 : end + 2]
    if not text.startswith("$", end) or inner != inner.strip() or "\n" in inner:
        return False
    return not after.isdigit() and any(sign in inner for sign in _IN_FORMULAS)
