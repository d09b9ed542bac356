"""As an answer grows, its earlier messages stay as they are."""

import asyncio

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bot.platforms.markdown.discord import DiscordStyle
from bot.platforms.markdown.slack import SlackStyle
from bot.platforms.markdown.splitting import Part, Splitter, split_markdown
from bot.platforms.markdown.style import Style
from tests.platforms.markdown.building import answers

styles = pytest.mark.parametrize("style", [DiscordStyle(), SlackStyle()])
limits = st.sampled_from([64, 100, 200, 400])
_ROW, _LONG = f"| row | {'x' * 30} |\n", f"|{'y' * 60}|z|\n"
_WORDS, _TABLE = "word " * 9 + "\n", "text\n|c|d|\n|-|-|\n"


def pieces(parts: list[Part]) -> list[object]:
    return [part.pieces for part in parts]


# An update keeps each message that it finds: these are the whole answer's only if none of them
# would end elsewhere now that more is there.
@styles
@given(answers, limits)
@example("|1|2|\n**b\n> ```\n> x\n> ```\ntext\n> ```\n> x\n> `", 64)
@example("- ```\n  x\n  ```\n" * 2 + f"{'word ' * 5}\n|-|-|\n-|-\n> ```\n> x\n> `", 100)
@example(
    f"> q\n{_ROW}> q\n> q\n{_LONG}{_ROW}> q\n{_ROW}{_LONG}> q\n{_LONG}{_WORDS}"
    f"{_ROW}{_ROW}> q\n{_LONG}|y",
    200,
)
@example(
    "1|2\n> ```\n> x\n> ```\n" * 3 + _TABLE + "**a** | b\n" * 2 + _TABLE * 2 + "**a** | b\n"
    "> ```\n> x\n> ```\n1|2\n" + _TABLE * 3 + "1|",
    400,
)
@settings(deadline=None, max_examples=25)
def test_no_update_moves_the_end_of_an_earlier_message(style: Style, text: str, limit: int) -> None:
    # A table's line that is longer than half a message may move where the one before it ends.
    assume(all(2 * len(line) < limit for line in text.splitlines() if "|" in line))
    splitter = Splitter(limit, style)
    for end in range(len(text)):
        splitter.split(text[:end])
    assert pieces(splitter.split(text)) == pieces(split_markdown(text, limit, style))


async def test_a_long_answer_is_split_while_the_event_loop_runs() -> None:
    text, splitter, shown, turns = "word " * 1000, Splitter(200), list[Part](), 0

    async def prepare() -> None:
        await splitter.prepare(text, 0, shown.append)

    preparing = asyncio.create_task(prepare())
    while not preparing.done():
        await asyncio.sleep(0)
        turns += 1
        assert len(shown) <= turns
    assert len(shown) > 10
    assert splitter.split(text)[:-1] == shown
