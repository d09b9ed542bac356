"""What a platform has no form for, in one that it has: formulas, tasks, deep headings."""

from collections.abc import Callable
from functools import partial

from bot.platforms.markdown.allowance import BEGUN, Allowance
from bot.platforms.markdown.formulas import unicode_formula
from bot.platforms.markdown.inline import FORMULAS, scan
from bot.platforms.markdown.lines import BLANK_LINES, content_start

_SIGNS = "*_~|`<>[]\\"
"""What would be read as Markdown in a formula's text."""
_TASKS = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}


def _by_paragraphs(text: str, rewritten: Callable[[str], str]) -> str:
    """Rewrite each paragraph for itself: code and formulas end with theirs."""
    shown, at = [], 0
    for blank in BLANK_LINES.finditer(text):
        shown += [rewritten(text[at : blank.start()]), blank[0]]
        at = blank.end()
    return "".join([*shown, rewritten(text[at:])])


def with_formulas(text: str, allowance: Allowance) -> str:
    """LaTeX in plain characters, or as code; never longer than it was."""
    if "$" not in text and "\\(" not in text and "\\[" not in text:
        return text
    return _by_paragraphs(text, partial(_with_formulas, allowance))


def _with_formulas(allowance: Allowance, text: str) -> str:
    shown, at = [], 0
    for begin, end in scan(text, 0, len(text)).atoms:
        if allowance.left <= BEGUN:
            break
        sign = next((s for s in FORMULAS if text.startswith(s, begin)), None)
        if sign is None or end > len(text):
            continue
        latex = text[begin + len(sign) : end - len(sign)]
        formula = _formula(latex) if allowance.takes_formula(latex) else None
        if formula is not None and len(formula) <= end - begin:
            shown += [text[at:begin], formula]
            at = end
    return "".join([*shown, text[at:]])


def _formula(latex: str) -> str | None:
    plain = unicode_formula(latex)
    if plain is not None and not any(sign in plain for sign in _SIGNS):
        return plain
    code = plain or " ".join(latex.split())
    return f"`{code}`" if code and "`" not in code else None


def with_tasks(text: str, *, continued: bool) -> str:
    """Tasks of lists as signs."""
    if not any(task in text for task in _TASKS):
        return text
    first, *lines = text.split("\n")
    return "\n".join([first if continued else _task(first), *map(_task, lines)])


def _task(line: str) -> str:
    at = content_start(line)
    sign = _TASKS.get(line[at : at + 4])
    marked = line[:at].rstrip()[-1:] in ("-", "*", "+", ".", ")") if sign else False
    return line[:at] + sign + line[at + 4 :] if sign and marked else line


def with_bold_headings(text: str, *, continued: bool) -> str:
    """Headings below the third level as bold lines."""
    if "####" not in text:
        return text
    first, *lines = text.split("\n")
    return "\n".join([first if continued else _heading(first), *map(_heading, lines)])


def _heading(line: str) -> str:
    words = line.lstrip("#")
    level = len(line) - len(words)
    title = words.strip().rstrip("#").rstrip()
    if not 4 <= level <= 6 or words[:1] not in (" ", "\t") or not title:
        return line
    return title if "**" in title else f"**{title}**"


def with_quiet_links(text: str) -> str:
    """Addresses in `<…>`, so that no preview is fetched or shown: two characters longer each."""
    return _by_paragraphs(text, _with_quiet_links) if "://" in text else text


def _with_quiet_links(text: str) -> str:
    if "://" not in text:
        return text
    found = scan(text, 0, len(text))
    shown, at = [], 0
    place = text.find("://")
    while place >= 0:
        before = text[max(0, place - len("https")) : place].lower()
        scheme = next((s for s in ("https", "http") if before.endswith(s)), "")
        begin, end = place - len(scheme), place + len("://")
        if scheme and text[begin - 1 : begin] != "<" and not found.in_code(place):
            end = _address_end(text, end, in_brackets=text[begin - 2 : begin] == "](")
            shown += [text[at:begin], "<", text[begin:end], ">"]
            at = end
        place = text.find("://", end)
    return "".join([*shown, text[at:]])


def _address_end(text: str, at: int, *, in_brackets: bool) -> int:
    """Where an address ends; `in_brackets`: those of a link with a text of its own."""
    begin, depth = at, 0
    while at < len(text) and not text[at].isspace() and text[at] not in "<>|`":
        depth += (text[at] == "(") - (text[at] == ")")
        if depth < 0:
            return at
        at += 1
    while not in_brackets and at > begin and text[at - 1] in ".,;:!?'\"*_~]":
        at -= 1
    return at
