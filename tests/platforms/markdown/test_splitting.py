"""Long answers as several messages: none too long, none broken, nothing lost."""

import re
from unittest.mock import ANY

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.platforms.markdown.splitting import MIN_LIMIT, Splitter, split_markdown

COMMONMARK = MarkdownIt("commonmark", {"html": False})

limits = st.sampled_from([MIN_LIMIT, 33, 40, 50, 64, 100, 200])
phrases = ["a", "foo", "`code x`", "**bold text**", "[a link](http://x/y)", "||sp oiler||", "_a b_"]
markup = ["`", "``", "```", "~~", "~~~", "```js", "\\", "- ", ">", "1. ", "#", "    "]
unbroken = ["x" * 70, "中文。粗体", "👩‍👩‍👧", "🇩🇪" * 12, "e\u0301" * 20]
words = st.sampled_from(phrases + markup + unbroken)
lines = st.lists(words, max_size=12).map(" ".join)
blanks = st.sampled_from(["", "", " ", "   ", "\n\n"])
indents = st.sampled_from(["", "", " ", "   "])
markers = st.sampled_from(["```", "~~~", "````", "~~~~"])
infos = st.sampled_from(["", "py", "python title=x", " rust", "y `z`", "~", "x" * 40, "x" * 300])
fences = st.tuples(indents, markers, infos).map("".join)
code = st.sampled_from(
    ["def f():", "    return 1", "\tx = 2", "x" * 90, "a b " * 30, "  ``", "`", "> q", "    ```"]
)


@st.composite
def code_blocks(draw: st.DrawFn) -> str:
    fence = draw(indents) + draw(markers)
    body = draw(st.lists(code | blanks | lines, max_size=8))
    return "\n".join([fence + draw(infos), *body, fence])


markdown = st.lists(lines | fences | blanks | code | code_blocks(), max_size=14).map("\n".join)
noise = st.text("`~ \n>-1.ab\u0301", max_size=200)


def without_containers(text: str) -> str:
    """No line that CommonMark could take for a list, a quote or indented code: fences in these
    are recognised by simpler rules than its own."""
    return re.sub(r"(?m)^[ \t]*(?:[-+*>]|\d+[.)]|(?:[ ]{4}|\t)[ \t]*(?=```|~~~))", "x", text)


def texts(text: str, limit: int) -> list[str]:
    return [part.text for part in split_markdown(text, limit)]


def at_the_margin(text: str) -> str:
    """Code that goes on has no indentation of the list that it was in."""
    return "\n".join(line.lstrip(" \t") for line in text.split("\n"))


def fences_of(text: str) -> list[Token]:
    return [token for token in COMMONMARK.parse(text) if token.type == "fence"]


def is_closed(fence: Token, text: str) -> bool:
    assert fence.map
    first, end = fence.map
    last = text.split("\n")[end - 1].strip(" >")
    return end - first > 1 and set(last) == {fence.markup[0]} and len(last) >= len(fence.markup)


# What holds for every text


@given(markdown | noise, limits)
def test_no_part_is_over_the_limit_or_without_anything_to_see(text: str, limit: int) -> None:
    for part in texts(text, limit):
        assert len(part) <= limit
        assert part.strip()


@given(markdown | noise, limits)
def test_the_sources_joined_are_the_answer(text: str, limit: int) -> None:
    joined = "".join(part.source for part in split_markdown(text, limit))
    assert joined == (text if text.strip() else "")


@given(markdown.map(without_containers), limits, st.data())
def test_the_rest_of_an_answer_begins_with_the_fence_that_is_open(
    text: str, limit: int, data: st.DataObject
) -> None:
    begin = data.draw(st.integers(0, len(text)))
    parts = Splitter(limit).split(text, begin)
    assert "".join(part.source for part in parts) == (text[begin:] if text[begin:].strip() else "")
    for part in parts:
        assert len(part.text) <= limit
        assert all(is_closed(fence, part.text) for fence in fences_of(part.text))


@given(markdown | noise)
def test_a_part_is_its_source_in_a_frame_of_fences_alone(text: str) -> None:
    assume(not re.search(r"(```|~~~).{30}", text))  # too long an info string becomes code
    for part in split_markdown(f"{text}\n" * 5, 400):
        source = re.escape(at_the_margin(part.source.strip()))
        before = r"([> \t]*([`~]{3,})\S*\n)?[> \t]*\u200b?[*_~|`]*\s*"
        after = r"[*_~|`]*\s*[> \t]*[`~]*"
        assert re.fullmatch(before + source + after, at_the_margin(part.text))


@given(markdown.map(without_containers), limits)
def test_each_part_closes_every_fence_it_opens(text: str, limit: int) -> None:
    for part in texts(text, limit):
        assert all(is_closed(fence, part) for fence in fences_of(part))


@given(markdown.map(without_containers), limits)
def test_the_code_of_all_parts_is_the_code_of_the_answer(text: str, limit: int) -> None:
    assume(not re.search(rf"([`~])\1{{{limit // 8}}}", text))  # longer markers are text
    assume(not re.search(rf"(```|~~~)[^\n]{{{min(30, limit // 4)}}}", text))  # as above
    text += "\nend"  # a marker still being written would be completed
    shown = ""
    for part in split_markdown(text, limit):
        fences = fences_of(part.text)
        shown += "".join(fence.content for fence in fences)
        line, last = (t.rpartition("\n")[2] for t in (part.source, part.text))
        ends_in_code = fences and fences[-1].map == [ANY, part.text.count("\n") + 1]
        if ends_in_code and line and line.strip() != last.strip():
            shown = shown.removesuffix("\n")  # within a line, closing begins a new one
    expected = "".join(fence.content for fence in fences_of(text))
    shown = shown.replace("\u200b", "")
    assert at_the_margin(shown.rstrip("\n")) == at_the_margin(expected.rstrip("\n"))


@given(markdown | noise, markdown | noise | st.text("`~\n >x\u0301", max_size=5), limits)
@settings(max_examples=200)
def test_as_the_answer_grows_all_parts_but_the_last_stay_as_they_are(
    text: str, more: str, limit: int
) -> None:
    sent = texts(text, limit)[:-1]
    assert texts(text + more, limit)[: len(sent)] == sent


@given(st.text("abc de\n", max_size=300), limits)
def test_prose_loses_no_word_unless_a_word_is_longer_than_half_a_part(
    text: str, limit: int
) -> None:
    shown = " ".join(texts(text, limit)).split()
    if all(len(word) < limit // 2 for word in text.split()):
        assert shown == text.split()
    else:
        assert "".join(shown) == "".join(text.split())


# What a reader sees


def test_a_short_answer_is_one_part_as_it_is() -> None:
    assert texts("Hello\n\n```py\nx = 1\n```", 2000) == ["Hello\n\n```py\nx = 1\n```"]


@pytest.mark.parametrize("text", ["", " \n\t\n"])
def test_nothing_to_show_makes_no_part(text: str) -> None:
    assert split_markdown(text, 2000) == []


def test_a_limit_too_small_for_a_fence_is_refused() -> None:
    with pytest.raises(ValueError, match="limit is 31: a part needs at least 32 characters"):
        split_markdown("text", 31)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "one two three four\n\nfive six\nseven eight",
            ["one two three four", "five six\nseven eight"],
        ),
        (
            "one two three four\nfive six seven eight",
            ["one two three four", "five six seven eight"],
        ),
        ("one two three four five six seven eight", ["one two three four five six", "seven eight"]),
        ("x" * 40, ["x" * 32, "x" * 8]),
        (
            "一二三四五六七八九十一二三四五六七八九。一二三四五六七八九十一二三四五",
            ["一二三四五六七八九十一二三四五六七八九。", "一二三四五六七八九十一二三四五"],
        ),
    ],
    ids=["paragraph", "line", "word", "inside a word", "sentence of a script without spaces"],
)
def test_a_part_ends_at_the_best_border_of_its_second_half(text: str, parts: list[str]) -> None:
    assert texts(text, 32) == parts


@pytest.mark.parametrize(
    "span",
    [
        "`a b c d`",
        "``a ` b c``",
        "**a b c d**",
        "*a b c d*",
        "_a b c d_",
        "~~a b c d~~",
        "||a b c d||",
        "[a b](http://c d)",
    ],
)
def test_a_span_goes_whole_into_the_next_part(span: str) -> None:
    assert texts(f"one two three four five {span} six", 32) == [
        "one two three four five",
        f"{span} six",
    ]


def test_emphasis_longer_than_a_part_is_closed_and_opened_again() -> None:
    assert texts("**one two three four five six seven eight**", 32) == [
        "**one two three four five six**",
        "**seven eight**",
    ]
    assert texts("`one two three four five six seven eight`", 32) == [
        "`one two three four five six`",
        "`seven eight`",
    ]
    assert texts("***one two three four _five six seven eight_***", 32) == [
        "***one two three four _five_***",
        "***_six seven eight_***",
    ]


@pytest.mark.parametrize("emoji", ["👩‍👩‍👧", "👍🏽", "🇩🇪", "e\u0301"])
def test_no_emoji_and_no_accent_is_cut_in_two(emoji: str) -> None:
    assert all(part.replace(emoji, "") == "" for part in texts(emoji * 50, 33))


def test_a_character_beyond_the_basic_plane_counts_as_one() -> None:
    assert texts("😀" * 32, 32) == ["😀" * 32]


def test_code_goes_on_in_its_language_with_its_indentation_and_blank_lines() -> None:
    text = "```python\ndef f():\n    a = 1\n\n    b = 2\n    return a + b\n```"
    assert texts(text, 50) == [
        "```python\ndef f():\n    a = 1\n\n```",
        "```python\n    b = 2\n    return a + b\n```",
    ]


@pytest.mark.parametrize(
    ("prefix", "inner", "reopened"),
    [
        ("> ", "> ", "> "),
        ("- ", "  ", ""),
        ("   ", "   ", ""),
        ("1. ", "   ", ""),
        ("> - ", ">   ", ">   "),
        ("- a\n  - ", "    ", ""),
    ],
)
def test_a_fence_goes_on_in_its_quote_and_out_of_its_list_at_the_margin(
    prefix: str, inner: str, reopened: str
) -> None:
    unit = f"{inner}if a:\n{inner}    b\n"
    room = len(f"{prefix}```py\n{unit * 4}{inner}```")
    first, second = texts(f"{prefix}```py\n{unit * 6}{inner}```\n{inner}c", room)
    assert first.startswith(f"{prefix}```py\n{inner}if a:\n")
    assert first.endswith(f"\n{inner}```")
    assert second.startswith(f"{reopened}```py\n{reopened}if a:\n{reopened}    b\n")
    assert is_closed(fences_of(second)[0], second)
    assert second.endswith("c")


def test_a_quote_that_ends_within_its_fence_is_not_reopened() -> None:
    assert texts("> ```py\n> a = 1\n> b = 2\nprose after the quote", 40) == [
        "> ```py\n> a = 1\n> b = 2\n> ```",
        "prose after the quote",
    ]


@pytest.mark.parametrize("fence", ["`" * 300, "~" * 300, "> " * 60 + "```", "```" + "x" * 300])
def test_a_fence_that_would_fill_a_part_is_text(fence: str) -> None:
    parts = texts(f"{fence}\n" + "x = 1\n" * 20, 50)
    assert all(len(part) <= 50 for part in parts)
    assert sum(part.count("x = 1") for part in parts) == 20
    shown = "".join(parts)
    assert all(shown.count(sign) >= fence.count(sign) for sign in "`~>x")


def test_text_where_a_language_stands_is_code_and_none_of_it_is_lost() -> None:
    first, second = texts("```" + "z" * 3000 + "\n```", 2000)
    assert first == "```\n" + "z" * 1992 + "\n```"
    assert second == "```\n" + "z" * 1008 + "\n```"


def test_a_fence_of_four_signs_keeps_the_fences_in_it() -> None:
    inner = "```py\nx = 1\n```\n"
    parts = texts("````md\n" + inner * 6 + "````", 60)
    assert all(part.startswith("````md\n") and part.endswith("\n````") for part in parts)
    assert "".join(fences_of(part)[0].content for part in parts) == inner * 6


@pytest.mark.parametrize("start", ["```", "~~~", "> b", "- b", "# b", "1. b"])
def test_text_cut_within_a_line_does_not_become_a_block_of_its_own(start: str) -> None:
    second = texts(f"{'a' * 31} {start} c", 32)[1]
    assert second == f"\u200b{start} c"
    assert COMMONMARK.parse(second)[0].type == "paragraph_open"


def test_code_that_is_still_being_written_is_closed() -> None:
    assert texts("```py\nx =", 100) == ["```py\nx =\n```"]
    assert texts("```py\nx = 1\n``", 100) == ["```py\nx = 1\n```"]


def test_another_answer_begins_again() -> None:
    splitter = Splitter(32)
    splitter.split("one two three four five six seven eight")
    assert [part.text for part in splitter.split("another one")] == ["another one"]


def test_a_line_of_code_that_is_cut_in_its_marker_does_not_end_the_code() -> None:
    text = "```\n```\n```\n```\n   ```y `z`\n   ```\n   ```py\n   ```"
    parts = split_markdown(text, 32)
    assert "".join(part.source for part in parts) == text
    for part in parts:
        assert len(part.text) <= 32
        assert all(is_closed(fence, part.text) for fence in fences_of(part.text))


def test_what_follows_a_fence_that_ended_with_its_quote_begins_a_line() -> None:
    assert texts("> ```\n> a = 1\n```\nb = 2\n```", 60) == [
        "> ```\n> a = 1\n> ```\n```\nb = 2\n```"
    ]
