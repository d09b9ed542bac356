"""Discord's messages as they look in its dark theme."""

import re
from typing import Any

from tests.show_states.svg import Canvas, Run, Style

BACKGROUND, CODE, BUTTON, BAR = "#313338", "#2b2d31", "#4e5058", "#232428"
WHITE, TEXT, SMALL, LINK = "#f2f3f5", "#dbdee1", "#949ba4", "#c9cdfb"
LEFT, WIDTH, RIGHT = 72, 640, 16
_SPAN = re.compile(r"\*\*(?P<bold>.+?)\*\*|`(?P<code>[^`]+)`|(?P<mention>@\w+)")
INVISIBLE = re.compile("[\u2060-\u2064]")


def conversation() -> Canvas:
    return Canvas(WIDTH, BACKGROUND, y=8)


def message(canvas: Canvas, author: str, payload: dict[str, Any], *, private: bool = False) -> None:
    """A message with its buttons; `private`: only one person sees it."""
    is_bot = "components" in payload or private
    _head(canvas, author, is_bot=is_bot)
    _content(canvas, payload.get("content", ""))
    for embed in payload.get("embeds", []):
        _embed(canvas, embed)
    for row in payload.get("components", []):
        _buttons(canvas, row["components"])
    if private:
        canvas.y += 4
        note = "👁 Only you can see this · "
        canvas.paragraph(
            LEFT, [(note, Style(12, SMALL)), ("Dismiss message", Style(12, "#00a8fc"))], WIDTH
        )
    canvas.y += 10


def _head(canvas: Canvas, author: str, *, is_bot: bool) -> None:
    top = canvas.y + 8
    color = "#5865f2" if is_bot else "#3ba55d"
    canvas.box(16, top, 40, 40, color, radius=20)
    canvas.text(36, top + 26, [(author[0], Style(18, WHITE, bold=True))], centered=True)
    name = Style(16, WHITE, bold=True)
    canvas.text(LEFT, top + 14, [(author, name)])
    x = LEFT + name.width(author) + 8
    if is_bot:
        canvas.box(x, top + 1, 34, 16, "#5865f2")
        canvas.text(x + 5, top + 13, [("APP", Style(11, WHITE, bold=True))])
        x += 42
    canvas.text(x, top + 14, [("Today at 14:03", Style(12, SMALL))])
    canvas.y = top + 18


def _content(canvas: Canvas, content: str) -> None:
    width = WIDTH - LEFT - RIGHT
    for at, part in enumerate(re.split(r"```\w*\n?", INVISIBLE.sub("", content))):
        if at % 2:
            _code(canvas, part.rstrip("\n"), width)
            continue
        for line in part.strip("\n").split("\n"):
            if line.startswith("-# "):
                canvas.paragraph(LEFT, _runs(line[3:], Style(13, SMALL)), width)
            elif line.startswith("- "):
                canvas.paragraph(
                    LEFT, [("•  ", Style(16, TEXT)), *_runs(line[2:], Style(16, TEXT))], width
                )
            elif line:
                canvas.paragraph(LEFT, _runs(line, Style(16, TEXT)), width)
            else:
                canvas.y += 12


def _runs(text: str, style: Style) -> list[Run]:
    runs: list[Run] = []
    end = 0
    for span in _SPAN.finditer(text):
        runs.append((text[end : span.start()], style))
        if span["bold"]:
            runs.append((span["bold"], Style(style.size, style.fill, bold=True)))
        elif span["code"]:
            runs.append((span["code"], Style(style.size - 2, style.fill, mono=True)))
        else:
            runs.append((span["mention"], Style(style.size, LINK)))
        end = span.end()
    return [*runs, (text[end:], style)]


def _code(canvas: Canvas, code: str, width: float) -> None:
    style, lines = Style(13, TEXT, mono=True), code.split("\n")
    canvas.box(LEFT, canvas.y + 4, width, 18 * len(lines) + 14, CODE, stroke="#1e1f22")
    canvas.y += 9
    for line in lines:
        canvas.y += 18
        canvas.text(LEFT + 10, canvas.y - 4, [(line, style)])
    canvas.y += 12


def _embed(canvas: Canvas, embed: dict[str, Any]) -> None:
    top, width = canvas.y + 6, WIDTH - LEFT - RIGHT - 60
    canvas.y = top + 8
    canvas.paragraph(LEFT + 16, [(embed["title"], Style(15, WHITE, bold=True))], width)
    canvas.box(LEFT + 16, canvas.y + 6, width - 40, 18, "#1e1f22")
    canvas.y += 34
    canvas.box(LEFT, top, 4, canvas.y - top, "#1e1f22")


def _buttons(canvas: Canvas, buttons: list[dict[str, Any]]) -> None:
    x, top = float(LEFT), canvas.y + 8
    for button in buttons:
        emoji, label = (button.get("emoji") or {}).get("name", ""), button.get("label") or ""
        text = f"{emoji} {label}".strip()
        style = Style(14, WHITE, bold=bool(label))
        width = style.width(text) + 28
        canvas.box(x, top, width, 32, BUTTON)
        canvas.text(x + width / 2, top + 21, [(text, style)], centered=True)
        x += width + 8
    canvas.y = top + 32
