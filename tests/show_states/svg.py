"""A drawing of text, boxes and nothing else, as an SVG file that needs no other."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby

SANS = "'gg sans', Lato, 'Noto Sans', 'Helvetica Neue', Helvetica, Arial, sans-serif"
MONO = "Consolas, 'DejaVu Sans Mono', Menlo, monospace"
NARROW, WIDE = set(" iljtfrI.,:;'|!()[]{}/\\-*“”·"), set("mwMW@%…—")


@dataclass(frozen=True)
class Style:
    """How a piece of text looks; `size` in pixels."""

    size: float
    fill: str
    bold: bool = False
    mono: bool = False

    @property
    def attributes(self) -> str:
        look = f'font-size="{self.size:g}" fill="{self.fill}"'
        weight = ' font-weight="600"' if self.bold else ""
        return look + weight + (f' font-family="{MONO}"' if self.mono else "")

    def width(self, text: str) -> float:
        """How wide `text` is in the widest of the fonts that machines have."""
        return self.size * sum(map(self._advance, text))

    def _advance(self, character: str) -> float:
        if unicodedata.east_asian_width(character) in "WF":
            return 1.15
        if unicodedata.category(character) in ("Cf", "Mn"):
            return 0
        if self.mono:
            return 0.6
        if character in NARROW:
            return 0.37
        if character in WIDE:
            return 0.92
        return (0.7 if character.isupper() else 0.61) * (1.13 if self.bold else 1)


Run = tuple[str, Style]
"""A stretch of a line in one style."""


def wrapped(runs: Sequence[Run], width: float) -> list[list[Run]]:
    """The lines that hold `runs`, broken between words."""
    lines: list[list[Run]] = [[]]
    used = 0.0
    for text, style in runs:
        for space, characters in groupby(text, str.isspace):
            word = "".join(characters)
            if lines[-1] and not space and used + style.width(word) > width:
                lines.append([])
                used = 0.0
            if not (space and not lines[-1]):
                lines[-1].append((word, style))
                used += style.width(word)
    return lines


@dataclass
class Canvas:
    """Grows downwards: `y` is where the next thing goes."""

    width: float
    background: str
    y: float = 0
    parts: list[str] = field(default_factory=list)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        *,
        radius: float = 4,
        stroke: str = "none",
    ) -> None:
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"'
            f' fill="{fill}" stroke="{stroke}"/>'
        )

    def text(self, x: float, y: float, runs: Iterable[Run], *, centered: bool = False) -> None:
        """One line, whose letters stand on `y`; `centered`: around `x`."""
        anchor = ' text-anchor="middle"' if centered else ""
        spans = "".join(f"<tspan {style.attributes}>{escape(text)}</tspan>" for text, style in runs)
        self.parts.append(f'<text x="{x:g}" y="{y:g}"{anchor} xml:space="preserve">{spans}</text>')

    def paragraph(self, x: float, runs: Sequence[Run], width: float) -> None:
        """Lines below what is there."""
        height = 1.4 * max((style.size for _, style in runs), default=16)
        for line in wrapped(runs, width):
            self.y += height
            self.text(x, self.y - height * 0.28, line)

    def finished(self) -> str:
        height = self.y + 16
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width:g}" height="{height:g}"'
            f' viewBox="0 0 {self.width:g} {height:g}" font-family="{SANS}">\n'
            f'<rect width="{self.width:g}" height="{height:g}" rx="8" fill="{self.background}"/>\n'
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )
