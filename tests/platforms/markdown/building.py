"""Markdown put together of blocks within blocks."""

from hypothesis import strategies as st

signs = ["*", "**b", "`", "``", "[", "![", "](", "<", "&", "|", "$", "\\(", "_", "~~", "||", "\\"]
spans = ["a", "x" * 60, "**b**", "`c`", "[d](http://e/f)", "http://g", "<@U1>", "<b>", "&amp;"]
spans += ["$h_1$", "\\(i\\)", "鷺", "👩‍👩‍👧", "e\u0301", "中文。", ":smile:", "    "]
lines = st.lists(st.sampled_from(signs + spans), max_size=4).map(" ".join)
containers = st.lists(st.sampled_from([">", "> ", "- ", "1. ", "  ", "\t"]), max_size=3)
cells = st.sampled_from(["", "1", "*k", "`l`", "[m](n)", "[", "&", "鷺", "x" * 40])


@st.composite
def fences(draw: st.DrawFn) -> list[str]:
    marker = draw(st.sampled_from(["```", "~~~", "````"]))
    body = draw(st.lists(lines | st.sampled_from(["x", " x", "", marker[:2], f"    {marker}"])))
    end = [marker] if draw(st.booleans()) else []
    return [marker + draw(st.sampled_from(["", "py", "x" * 40])), *body[:4], *end]


@st.composite
def tables(draw: st.DrawFn) -> list[str]:
    columns, outer = draw(st.sampled_from([1, 2, 3, 10, 40])), draw(st.booleans())
    rows = [["a"] * columns, ["-"] * columns]
    rows += draw(st.lists(st.lists(cells, min_size=1, max_size=min(columns, 3)), max_size=4))
    return [f"|{'|'.join(row)}|" if outer else f"{'|'.join(row)}|" for row in rows]


@st.composite
def blocks(draw: st.DrawFn) -> list[str]:
    """A block's lines, in what contains it."""
    first = "".join(draw(containers))
    others = draw(st.sampled_from([first, first.replace("-", " "), ""]))
    head = draw(st.sampled_from(["", "", "#### ", "- [ ] "]))
    block = draw(fences() | tables() | st.lists(lines, min_size=1, max_size=3))
    after = draw(st.sampled_from([[], [], [""], ["a"]]))
    return [first + head + block[0], *(others + line for line in block[1:]), *after]


answers = st.lists(blocks().map("\n".join), max_size=5).map("\n".join)


@st.composite
def repeated(draw: st.DrawFn, size: int) -> str:
    """The last lines of some blocks again and again: tiny blocks, or one that has no end."""
    found = draw(blocks()) + draw(blocks() | st.just([]))
    begin = draw(st.integers(0, len(found) - 1))
    again = "\n".join([*found[begin:], ""])
    return ("\n".join([*found[:begin], ""]) + again * (size // len(again) + 1))[:size]
