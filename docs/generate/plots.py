"""docs/plots/: drawings of tables in docs/benchmarks.md and docs/scaling.md, as SVG."""

import re
from html import escape
from math import floor, log10
from pathlib import Path

DOCS = Path(__file__).parents[1]
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 720, 340, 64, 76, 46
COLORS = ("#3f6fd8", "#e08a2b")
STYLE = """\
text{font:13px system-ui,sans-serif;fill:#1f2937}
.title{font-size:15px;font-weight:600}
.small{font-size:11px}
line{stroke:#9ca3af;stroke-width:.5}
@media (prefers-color-scheme:dark){text{fill:#e5e7eb}line{stroke:#6b7280}}"""


def plots() -> dict[Path, str]:
    """File → the drawing that it should hold."""
    speed, scaling = (
        (DOCS / page).read_text(encoding="utf-8") for page in ("benchmarks.md", "scaling.md")
    )
    return {
        DOCS / "plots" / name: bars(title, *table(page, title), scale=scale)
        for name, page, title, scale in (
            ("decode-batch.svg", speed, "Tokens a second in all, by answers at once", "linear"),
            (
                "decode-context.svg",
                speed,
                "Tokens a second of one answer, by tokens before it",
                "linear",
            ),
            (
                "first-token.svg",
                speed,
                "Milliseconds to a first token, by tokens of the prompt",
                "log",
            ),
            ("fair-shares.svg", scaling, "Tokens that a server got, in fair shares", "linear"),
        )
    }


def table(text: str, heading: str) -> tuple[list[str], dict[str, list[float]]]:
    """The table below a heading: its columns' names, and each row's numbers by the row's name."""
    below = text.split(f" {heading}\n", 1)[1]
    lines = re.findall(r"^\|(.*)\|$", below.split("\n#", 1)[0], re.MULTILINE)
    (_, *columns), _, *rows = ([cell.strip() for cell in line.split("|")] for line in lines)
    return columns, {name: [float(c.replace(",", "")) for c in cells] for name, *cells in rows}


def bars(title: str, columns: list[str], rows: dict[str, list[float]], *, scale: str) -> str:
    """Groups of upright bars, each with its number above it."""
    highest = max(max(numbers) for numbers in rows.values())
    lowest = 10.0 ** floor(log10(min(min(numbers) for numbers in rows.values())))

    def height(number: float) -> float:
        whole = HEIGHT - TOP - BOTTOM
        if scale == "log":
            return whole * log10(number / lowest) / log10(highest / lowest)
        return whole * number / highest

    group = (WIDTH - LEFT) / len(columns)
    bar = 0.8 * group / len(rows)
    floor_at = HEIGHT - BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text class="title" x="8" y="22">{escape(title)}</text>',
    ]
    for at, (name, numbers) in enumerate(rows.items()):
        x = LEFT + 220 * at
        parts.append(f'<rect x="{x}" y="34" width="12" height="12" fill="{COLORS[at]}"/>')
        parts.append(f'<text x="{x + 18}" y="45">{escape(name)}</text>')
        for place, number in enumerate(numbers):
            x = LEFT / 2 + group * (place + 0.1) + bar * at
            tall = height(number)
            box = f'x="{x:.1f}" y="{floor_at - tall:.1f}" width="{bar - 2:.1f}"'
            parts.append(f'<rect {box} height="{tall:.1f}" fill="{COLORS[at]}"/>')
            where = f'x="{x + bar / 2 - 1:.1f}" y="{floor_at - tall - 4:.1f}"'
            parts.append(f'<text class="small" {where} text-anchor="middle">{number:,g}</text>')
    for place, name in enumerate(columns):
        x = LEFT / 2 + group * (place + 0.5)
        where = f'x="{x:.1f}" y="{floor_at + 18}" text-anchor="middle"'
        parts.append(f"<text {where}>{escape(name)}</text>")
    parts.append(f'<line x1="{LEFT / 2}" y1="{floor_at}" x2="{WIDTH}" y2="{floor_at}"/>')
    if scale == "log":
        where = f'x="{LEFT / 2}" y="{floor_at + 36}"'
        parts.append(f'<text class="small" {where}>logarithmic: ten times is always as far</text>')
    return "\n".join([*parts, "</svg>", ""])
