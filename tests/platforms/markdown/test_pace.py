"""How long splitting takes, in steps: a clock would measure the machine."""

import sys
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.platforms.markdown.discord import DiscordStyle
from bot.platforms.markdown.slack import SlackStyle
from bot.platforms.markdown.splitting import Part, Splitter, split_markdown
from bot.platforms.markdown.style import AsWritten, Style
from tests.platforms.markdown.building import repeated

SIZE = 10_000
STEPS_OF_A_CHARACTER = 5
"""Calls of functions, at most, for each character that is split: 0.1 to 0.2 µs each."""
STEPS_OF_A_MESSAGE = 40_000
"""Calls of functions, at most, to make what one message shows."""
VISITS = 6
"""How often a character is looked at, at most."""

hard = ["**k", "***k", "`", "*", "[", "![", "<", "> ", "- a\n", "|", "|a|b|\n|-|-|\n", "```\n"]
hard += ["a|\n-|\n", "a\n|b|\n|-|\n", "0```\n", " x\n", "\n\nx", "```a`\n", "- - a\n\n", "---\n"]
hard += ["~~~\nx\n", "a\n", "a\n\n", "$a", "\\(", "_a ", "||", "a b. ", "文", "\\", "`a``b```"]
hard += [
    "> > ```\n> > x\n> > ```\n",
    "- ```\n  x\n  ```\n",
    "> ```\n> x\ny\n",
    "```\n&&&&&&\n```\n",
]
openings = {
    "- ```\n": [" x\n", "  ``\n", "  x\n\n"],
    "> ```\n": [">\t```\n", ">\n"],
    "a|b\n-|-\n": ["1|2\n", "鷺|é\n", "*k|`l\n", "[|![\n"],
    "a|\n-|\n": ["|\n", "a|\n"],
    "a|" * 40 + "\n" + "-|" * 40 + "\n": ["|\n"],
    "a|" * 300 + "\n" + "-|" * 300 + "\n": ["|\n"],
    "|a|b|\n|-|-|\n": ["|$x_1$|\\(y\\)|\n", "|[k](http://l)|\n"],
}
worst = [piece * (SIZE // len(piece)) for piece in hard]
worst += [head + row * (SIZE // len(row)) for head, rows in openings.items() for row in rows]
platforms = pytest.mark.parametrize(
    ("limit", "style"), [(1600, AsWritten()), (1600, DiscordStyle()), (9000, SlackStyle())]
)


def steps(work: Callable[[], object]) -> int:
    """The calls that something makes: of functions in Python and in C."""
    count = 0

    def see(*_: object) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count // 2  # each begins and ends


def assert_takes_few_steps(text: str, limit: int, style: Style) -> None:
    splitter, parts = Splitter(limit, style), list[Part]()
    assert steps(lambda: parts.extend(splitter.split(text))) <= STEPS_OF_A_CHARACTER * SIZE
    assert splitter.visited <= VISITS * SIZE + limit
    for part in parts[:1] + parts[-2:]:
        assert steps(lambda part=part: part.pieces) <= STEPS_OF_A_MESSAGE


@platforms
@given(repeated(SIZE) | st.text("`~ \n>-1.ab\u0301|", max_size=200).map(lambda text: text * 50))
@settings(deadline=None, max_examples=25)
def test_splitting_takes_a_few_steps_for_a_character(limit: int, style: Style, text: str) -> None:
    assert_takes_few_steps(text, limit, style)


@platforms
@pytest.mark.parametrize("text", worst, ids=[repr(text[-24:]) for text in worst])
def test_no_kind_of_markdown_takes_more(limit: int, style: Style, text: str) -> None:
    assert_takes_few_steps(text, limit, style)


@platforms
@given(repeated(SIZE))
@example(worst[-1])
@settings(deadline=None, max_examples=5)
def test_an_update_takes_the_steps_of_the_last_message(limit: int, style: Style, text: str) -> None:
    splitter, new = Splitter(limit, style), 1000
    for end in range(new, len(text), new):
        seen = splitter.visited
        assert steps(lambda end=end: splitter.split(text[:end])) <= STEPS_OF_A_CHARACTER * (
            limit + new
        )
        assert splitter.visited - seen <= VISITS * (limit + new)
    shown = [part.pieces for part in splitter.split(text)]
    assert shown == [part.pieces for part in split_markdown(text, limit, style)]
