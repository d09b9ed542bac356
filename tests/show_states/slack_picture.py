"""Slack's messages and Home tab as they look in its light theme."""

import re
from typing import Any

from tests.show_states.svg import Canvas, Run, Style

BACKGROUND, TEXT, SMALL, LINE, LINK = "#ffffff", "#1d1c1d", "#616061", "#dddddd", "#1264a3"
LEFT, WIDTH, RIGHT = 72, 640, 16
_SPAN = re.compile(
    r"\*\*(?P<strong>.+?)\*\*|\*(?P<bold>[^*\n]+)\*|`(?P<code>[^`]+)`|(?P<mention>@\w+)"
)
Block = dict[str, Any]


def conversation() -> Canvas:
    return Canvas(WIDTH, BACKGROUND, y=8)


def message(
    canvas: Canvas, author: str, blocks: list[Block], *, is_app: bool = True, private: bool = False
) -> None:
    """A message; `private`: only one person sees it."""
    if private:
        canvas.y += 6
        canvas.paragraph(LEFT, [("👁  Only visible to you", Style(13, SMALL))], WIDTH)
    _head(canvas, author, is_app=is_app)
    for block in blocks:
        _block(canvas, block, LEFT)
    canvas.y += 10


def status(canvas: Canvas, author: str, payload: dict[str, Any]) -> None:
    """What stands under a thread while the app works."""
    canvas.y += 6
    canvas.box(LEFT, canvas.y + 2, 20, 20, "#4a154b")
    canvas.text(LEFT + 28, canvas.y + 17, [(f"{author} {payload['status']}", Style(14, SMALL))])
    canvas.y += 28


def home(canvas: Canvas, view: dict[str, Any], most: int) -> None:
    """The Home tab: its first `most` blocks."""
    for block in view["blocks"][:most]:
        _block(canvas, block, 24)


def _head(canvas: Canvas, author: str, *, is_app: bool) -> None:
    top = canvas.y + 8
    canvas.box(20, top, 40, 40, "#4a154b" if is_app else "#2bac76", radius=6)
    canvas.text(40, top + 26, [(author[0], Style(18, "#ffffff", bold=True))], centered=True)
    name = Style(15, TEXT, bold=True)
    canvas.text(LEFT, top + 13, [(author, name)])
    x = LEFT + name.width(author) + 8
    if is_app:
        canvas.box(x, top + 1, 32, 15, "#e8e8e8", radius=2)
        canvas.text(x + 5, top + 13, [("APP", Style(10, SMALL, bold=True))])
        x += 40
    canvas.text(x, top + 13, [("14:03", Style(12, SMALL))])
    canvas.y = top + 16


def _block(canvas: Canvas, block: Block, left: float) -> None:
    width = WIDTH - left - RIGHT
    match block["type"]:
        case "markdown":
            _lines(canvas, block["text"], left, Style(15, TEXT))
        case "section":
            _lines(canvas, block["text"]["text"], left, Style(15, TEXT))
        case "header":
            canvas.y += 12
            canvas.paragraph(left, [(block["text"]["text"], Style(18, TEXT, bold=True))], width)
            canvas.y += 4
        case "context":
            canvas.y += 4
            for element in block["elements"]:
                _lines(canvas, element["text"], left, Style(13, SMALL))
        case "table":
            _table(canvas, block, left)
        case "actions":
            _buttons(canvas, block["elements"], left)


def _lines(canvas: Canvas, text: str, left: float, style: Style) -> None:
    for line in text.strip("\n").split("\n"):
        if line:
            canvas.paragraph(left, _runs(line, style), WIDTH - left - RIGHT)
        else:
            canvas.y += 10


def _runs(text: str, style: Style) -> list[Run]:
    runs: list[Run] = []
    end = 0
    for span in _SPAN.finditer(text):
        runs.append((text[end : span.start()], style))
        if bold := span["strong"] or span["bold"]:
            runs.append((bold, Style(style.size, style.fill, bold=True)))
        elif span["code"]:
            runs.append((span["code"], Style(style.size - 2, "#e01e5a", mono=True)))
        else:
            runs.append((span["mention"], Style(style.size, LINK)))
        end = span.end()
    return [*runs, (text[end:], style)]


def _table(canvas: Canvas, block: Block, left: float) -> None:
    style, head = Style(14, TEXT), Style(14, TEXT, bold=True)
    rows = [[cell["text"] for cell in row] for row in block["rows"]]
    widths = [max(head.width(row[at]) for row in rows) + 28 for at in range(len(rows[0]))]
    canvas.y += 8
    for number, row in enumerate(rows):
        x = left
        for at, text in enumerate(row):
            look = head if number == 0 else style
            fill = "#f8f8f8" if number == 0 else "#ffffff"
            canvas.box(x, canvas.y, widths[at], 30, fill, radius=0, stroke=LINE)
            right = block["column_settings"][at]["align"] == "right"
            space = widths[at] - look.width(text) - 12 if right else 12
            canvas.text(x + space, canvas.y + 20, [(text, look)])
            x += widths[at]
        canvas.y += 30
    canvas.y += 8


def _buttons(canvas: Canvas, buttons: list[Block], left: float) -> None:
    x, top = left, canvas.y + 8
    for button in buttons:
        primary = button.get("style") == "primary"
        style = Style(13, "#ffffff" if primary else TEXT, bold=True)
        text = button["text"]["text"]
        width = style.width(text) + 24
        canvas.box(x, top, width, 28, "#007a5a" if primary else "#ffffff", stroke="#bbbabb")
        canvas.text(x + width / 2, top + 18.5, [(text, style)], centered=True)
        x += width + 8
    canvas.y = top + 34
