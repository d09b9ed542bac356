"""LaTeX formulas in plain characters, where that keeps their meaning."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pylatexenc import latex2text, latexwalker
from pylatexenc.macrospec import MacroSpec

from bot.platforms.markdown.allowance import LONGEST

_FRACTIONS = ("frac", "tfrac", "dfrac")
_BINOMIALS = ("binom", "tbinom", "dbinom")
_WITH_ARGUMENTS = {
    *_FRACTIONS,
    *_BINOMIALS,
    *("sqrt", "text", "mathrm", "mathbf", "mathit", "mathbb", "mathcal", "mathfrak", "textbf"),
    *("vec", "hat", "bar", "dot", "ddot", "tilde"),
}
_OF_TEXT = {"item", "today"}


@lru_cache(maxsize=4096)
def unicode_formula(latex: str) -> str | None:
    """The formula in Unicode; None where that would lose or change something of it.

    Only macros that pylatexenc has characters for, fractions and roots: a matrix or a macro that
    is unknown is better read as LaTeX.
    """
    latex = latex.strip()
    if len(latex) > LONGEST:
        return None
    try:
        walker = latexwalker.LatexWalker(latex, latex_context=_MACROS, tolerant_parsing=False)
        nodes = walker.get_latex_nodes()[0]
        if not all(map(_is_plain, _all(nodes))):
            return None
        text = _TO_TEXT.nodelist_to_text(nodes)
    except Exception:  # its replacements raise whatever malformed arguments lead to
        return None
    return " ".join(text.split()) or None


def _all(nodes: list[Any]) -> Iterator[Any]:
    """The nodes, with those inside groups and arguments."""
    for node in nodes:
        if node is not None:
            yield node
            yield from _all(getattr(node, "nodelist", None) or [])
            arguments = getattr(node, "nodeargd", None)
            yield from _all((arguments and arguments.argnlist) or [])


def _is_plain(node: Any) -> bool:
    if node.isNodeType(latexwalker.LatexMacroNode):
        arguments = node.nodeargd and any(node.nodeargd.argnlist)
        known = _CHARACTERS.get_macro_spec(node.macroname) and node.macroname not in _OF_TEXT
        return bool(known and (not arguments or node.macroname in _WITH_ARGUMENTS))
    if node.isNodeType(latexwalker.LatexSpecialsNode):
        return bool(node.specials_chars != "&")
    kinds = (latexwalker.LatexCharsNode, latexwalker.LatexGroupNode)
    return any(map(node.isNodeType, kinds))


def _fraction(node: Any, l2tobj: Any) -> str:
    return "/".join(_operand(l2tobj, argument) for argument in node.nodeargd.argnlist)


def _binomial(node: Any, l2tobj: Any) -> str:
    above, below = (l2tobj.nodelist_to_text(_inner(a)) for a in node.nodeargd.argnlist)
    return f"C({above}, {below})"


def _root(node: Any, l2tobj: Any) -> str:
    degree, radicand = node.nodeargd.argnlist
    shown = "" if degree is None else l2tobj.nodelist_to_text(_inner(degree))
    return f"{shown.translate(_RAISED)}√{_operand(l2tobj, radicand)}"


def _operand(l2tobj: Any, node: Any) -> str:
    """An argument, in brackets unless it is one number or name."""
    text = " ".join(l2tobj.nodelist_to_text(_inner(node)).split())
    is_one = text.isdigit() or text.isalpha() or len(text) == 1
    return text if is_one else f"({text})"


def _inner(node: Any) -> list[Any]:
    return list(node.nodelist) if node.isNodeType(latexwalker.LatexGroupNode) else [node]


def _macros() -> Any:
    macros = latexwalker.get_default_latex_context_db()
    two = [MacroSpec(name, "{{") for name in (*_FRACTIONS, *_BINOMIALS)]
    macros.add_context_category("formulas", macros=two, prepend=True)
    return macros


def _characters() -> Any:
    characters = latex2text.get_default_latex_context_db()
    shown = dict.fromkeys(_FRACTIONS, _fraction) | dict.fromkeys(_BINOMIALS, _binomial)
    shown |= {"sqrt": _root}
    specs = [latex2text.MacroTextSpec(name, function) for name, function in shown.items()]
    specs += [latex2text.MacroTextSpec(name, "") for name in ("left", "right", "displaystyle")]
    characters.add_context_category("formulas", macros=specs, prepend=True)
    characters.set_unknown_macro_spec(None)
    return characters


_RAISED = str.maketrans("23456789n", "²³⁴⁵⁶⁷⁸⁹ⁿ")
_MACROS = _macros()
_CHARACTERS = _characters()
_TO_TEXT = latex2text.LatexNodes2Text(
    latex_context=_CHARACTERS,
    keep_braced_groups=True,
    keep_braced_groups_minlen=2,
    strict_latex_spaces="based-on-source",
)
