"""What the model writes arrives as it wrote it, and refers to nobody."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.platforms.markdown.splitting import split_markdown
from bot.platforms.slack.limits import PART_LENGTH
from bot.platforms.slack.mrkdwn import decoded, plain_markdown, plain_text, stable
from tests.doubles.slack import SlackDouble
from tests.doubles.slack.texts import decoded as as_people_read
from tests.doubles.slack.texts import pings_of, rich_text

references = st.sampled_from(
    [
        "<!channel>",
        "<!here|here>",
        "<@U1>",
        "<@U1|ann>",
        "<#C1>",
        "<!subteam^S1>",
        "<https://x.y>",
        "<https://x.y|z>",
        "<mailto:a@b.c|a>",
        "<!date^1^{date}|then>",
        "<a|b>",
    ]
)
pieces = references | st.sampled_from(
    ["&lt;", "&amp;amp;", "&", "<", ">", "|", "@channel", "`", "\n"]
)
prose = st.sampled_from(["if a < b and c > d:", "a <b> c", "x & y", "List<int> f()", " ", "word "])
texts = st.lists(pieces | prose | st.text("<>&;@#!|a ", max_size=8), max_size=12).map("".join)


@pytest.mark.fuzz
@given(texts)
def test_nothing_that_the_model_writes_pings_or_links(text: str) -> None:
    team = SlackDouble().workspace("Home")
    for written in (plain_markdown(text), plain_text(text)):
        assert pings_of(written, team) == set()
        (block,) = rich_text(written)
        kinds = {element["type"] for element in block["elements"][0]["elements"]}
        assert kinds <= {"text"}


@given(texts)
def test_people_read_what_the_model_wrote(text: str) -> None:
    team = SlackDouble().workspace("Home")
    assert as_people_read(plain_text(text), team) == text
    assert as_people_read(plain_markdown(text), team) == text


@given(texts)
async def test_the_model_reads_what_it_wrote(text: str) -> None:
    async def name_of(user: str) -> str:
        raise AssertionError(user)

    assert await decoded(plain_text(text), name_of) == text
    assert await decoded(plain_markdown(text), name_of) == text


@pytest.mark.fuzz
@given(texts, st.data())
def test_a_stream_appends_and_never_takes_back(text: str, data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(text)))
    assert plain_markdown(text).startswith(plain_markdown(stable(text[:end])))


@given(st.lists(pieces | st.text("ab<&\n` ", min_size=200, max_size=900), max_size=40).map("".join))
def test_every_part_is_within_what_slack_takes(text: str) -> None:
    parts = split_markdown(text, PART_LENGTH)
    assert all(len(part.text) <= PART_LENGTH for part in parts)


def test_code_is_left_as_it_is() -> None:
    code = "```\nif (a < b && c > d) { list<int> x; }\n```"
    assert plain_markdown(code) == code
    assert not re.search(r"&\w+;", plain_markdown(code))
