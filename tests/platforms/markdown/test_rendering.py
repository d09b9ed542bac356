"""What a platform lacks, in forms that it has."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wcwidth import wcswidth

from bot.platforms.markdown.allowance import BEGUN, READ
from bot.platforms.markdown.discord import DiscordStyle
from bot.platforms.markdown.formulas import unicode_formula
from bot.platforms.markdown.slack import TABLE_ROWS, SlackStyle
from bot.platforms.markdown.splitting import split_markdown
from bot.platforms.markdown.tables import Table

TABLE = """\
| Mooring | Depth | Free |
|:--|--:|:-:|
| Heron | 3.2 m | **yes** |
| 鷺 | 12 m | no |
"""


def on_discord(text: str, limit: int = 1600) -> list[str]:
    return [part.text for part in split_markdown(text, limit, DiscordStyle())]


def on_slack(text: str, limit: int = 9000) -> list[tuple[str | Table, ...]]:
    return [part.pieces for part in split_markdown(text, limit, SlackStyle())]


def size_on_slack(pieces: tuple[str | Table, ...]) -> int:
    def size(text: str) -> int:
        return len(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))

    cells = [c for p in pieces if isinstance(p, Table) for row in (p.header, *p.rows) for c in row]
    return sum(map(size, [*cells, *(p for p in pieces if isinstance(p, str))]))


# Tables


def test_a_table_stands_in_columns_of_code_on_discord() -> None:
    assert on_discord(f"Before\n\n{TABLE}\nAfter") == [
        "Before\n\n"
        "```\n"
        "Mooring │ Depth │ Free\n"
        "────────┼───────┼─────\n"
        "Heron   │ 3.2 m │ yes\n"
        "鷺      │  12 m │  no\n"
        "```\n\n"
        "After"
    ]


def test_a_table_too_wide_for_columns_is_a_list() -> None:
    wide = f"| Boat | Crew |\n|--|--|\n| Petrel | {'four, ' * 12} |\n"
    assert on_discord(wide) == ["- Boat: **Petrel**\n  - Crew: " + ("four, " * 12).strip()]


def test_a_table_on_slack_is_one_of_its_own_and_the_next_one_in_code() -> None:
    ((before, table, after),) = on_slack(f"A\n\n{TABLE}\nB\n\n{TABLE}\nC")
    assert before == "A"
    assert isinstance(table, Table)
    assert table.rows == (("Heron", "3.2 m", "yes"), ("鷺", "12 m", "no"))
    assert isinstance(after, str)
    assert after.startswith("B\n\n```\nMooring")
    assert after.endswith("C")


@pytest.mark.parametrize("style", [DiscordStyle(), SlackStyle()])
def test_a_table_that_is_split_repeats_its_header_and_loses_no_row(
    style: DiscordStyle | SlackStyle,
) -> None:
    rows = [f"| row {at} | {'value ' * (at % 9)} |" for at in range(300)]
    text = "\n".join(["Intro", "", "| name | value |", "|---|---|", *rows, "", "end"])
    parts = split_markdown(text, 1600, style)
    assert len(parts) > 3
    names: list[str] = []
    for part in parts:
        for piece in part.pieces:
            if isinstance(piece, Table):
                assert piece.header == ("name", "value")
                assert len(piece.rows) < TABLE_ROWS
                names += [row[0] for row in piece.rows]
            elif "```" in piece:
                header, _, *lines = piece.split("```")[1].strip("\n").split("\n")
                assert header.split() == ["name", "│", "value"]
                names += [line.split("│")[0].strip() for line in lines]
    assert names == [f"row {at}" for at in range(300)]


def test_a_row_longer_than_a_message_is_shown_as_it_is_written() -> None:
    text = "| a | b |\n|---|---|\n| 1 | " + "word " * 500 + "|"
    assert "".join(on_discord(text)).count("word") == 500


cells = st.text("ab*`|\\$&<>鷺 é👩", max_size=12) | st.sampled_from(
    ["**b**", "`c`", "x" * 80, "a|b"]
)
tables = st.lists(st.lists(cells, min_size=1, max_size=4).map("|".join), max_size=8).map(
    lambda rows: "\n".join(["|a|b|", "|---|:-:|", *(f"|{row}|" for row in rows)])
)
blocks = st.lists(
    tables
    | st.text("ab *_`$\\()[]#\n-&<>x|", max_size=60)
    | st.sampled_from(["```\nx\n```", "\n\n"]),
    max_size=6,
)
texts = blocks.map("\n".join)
limits = st.sampled_from([64, 100, 200, 400])


@given(texts, limits)
@settings(deadline=None)
def test_no_message_is_over_its_limit_as_it_is_sent(text: str, limit: int) -> None:
    assert all(len(part) <= limit for part in on_discord(text, limit))
    assert all(size_on_slack(pieces) <= limit for pieces in on_slack(text, limit))


@given(st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=6))
def test_columns_are_aligned_by_what_characters_take_on_a_screen(rows: list[list[str]]) -> None:
    text = "\n".join(["|a|b|", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])
    (piece,) = on_discord(text, 4000)
    if piece.startswith("```"):
        lines = [line for line in piece.split("\n")[1:-1] if "│" in line or "┼" in line]
        places = {wcswidth(line.replace("┼", "│").split("│")[0]) for line in lines}
        assert len(places) == 1


# Formulas, headings, tasks


@pytest.mark.parametrize(
    ("latex", "shown"),
    [
        (r"F = \tfrac12 \theta v^2 C A", "F = 1/2θ v^2 C A"),
        (r"\frac{a+b}{c}", "(a+b)/c"),
        (r"\sqrt[3]{x+1} \le \sqrt{2\pi}", "³√(x+1)≤√(2π)"),
        (r"x \in S^{n+1}", "x ∈ S^{n+1}"),
        (r"\begin{pmatrix}1 & 2\\3 & 4\end{pmatrix}", None),
        (r"\unknown{x}", None),
        (r"\frac{a", None),
        (r"\input{/etc/passwd}", None),
    ],
)
def test_a_formula_is_written_in_signs_where_that_keeps_its_meaning(
    latex: str, shown: str | None
) -> None:
    assert unicode_formula(latex) == shown


@given(st.text("\\frac{}^_$ab12 &%sqrt[]left", max_size=40))
def test_no_formula_is_an_error(latex: str) -> None:
    unicode_formula(latex)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (r"Here \( \theta \) is an angle.", "Here θ is an angle."),
        (r"\[ \sum_{i=1}^n x_i \]", "`∑_{i=1}^n x_i`"),
        (r"\(\operatorname{f}(x)\)", r"`\operatorname{f}(x)`"),
        (r"`\(code\)` stays", r"`\(code\)` stays"),
        ("from $5 to $6", "from $5 to $6"),
        ("$x^2$", "x^2"),
        ("##### Drag", "**Drag**"),
        ("### Kept", "### Kept"),
        ("####no heading", "####no heading"),
        ("- [ ] open\n  - [x] done\n1. [X] too", "- ☐ open\n  - ☑ done\n1. ☑ too"),
        ("an [x] in a text", "an [x] in a text"),
        ("```\n#### code\n- [ ] $x^2$\n```", "```\n#### code\n- [ ] $x^2$\n```"),
    ],
)
def test_what_discord_lacks_is_written_another_way(written: str, shown: str) -> None:
    assert on_discord(written) == [shown]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a `b\n\nor \\(\\theta\\) and `c", "a `b\n\nor θ and `c"),
        ("$$ a\n\nb_1 $$", "$$ a\n\nb_1 $$"),
        ("a ` b\n\nhttp://x and `", "a ` b\n\n<http://x> and `"),
    ],
)
def test_code_and_formulas_end_with_their_paragraph(written: str, shown: str) -> None:
    assert on_discord(written) == [shown]


@pytest.mark.parametrize(
    "text",
    [
        " ".join(f"$x_{{{at}}}$" for at in range(800)),
        "\n\n".join(f"$x_{{{at}}}$" for at in range(800)),
        "|a|b|\n|-|-|\n" + "\n".join(f"|$x_{{{at}}}$|$y_{{{at}}}$|" for at in range(400)),
    ],
)
@pytest.mark.parametrize("style", [DiscordStyle(), SlackStyle()])
def test_a_message_of_many_formulas_keeps_the_last_ones_as_they_were_typed(
    style: DiscordStyle | SlackStyle, text: str
) -> None:
    unicode_formula.cache_clear()
    for count, part in enumerate(split_markdown(text, 9000, style), 1):
        assert part.pieces
        assert unicode_formula.cache_info().misses * BEGUN <= count * READ


def test_a_formula_goes_whole_into_one_message() -> None:
    text = "word " * 12 + r"\( \theta + \beta \)" + " end" * 20
    assert any("θ + β" in part for part in on_discord(text, 70))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("See https://a.example/b.", "See <https://a.example/b>."),
        ("[the primer](https://a.example/b_(c)).", "[the primer](<https://a.example/b_(c)>)."),
        ('[a](HTTP://x.y "title") (https://x.y)', '[a](<HTTP://x.y> "title") (<https://x.y>)'),
        (
            "![a picture](https://a.example/?q=secret)",
            "![a picture](<https://a.example/?q=secret>)",
        ),
        ("<https://a.example> `https://b.example`", "<https://a.example> `https://b.example`"),
        ("**https://a.example**", "**<https://a.example>**"),
        ("```\nhttps://a.example\n```", "```\nhttps://a.example\n```"),
    ],
)
def test_no_link_on_discord_brings_a_preview(written: str, shown: str) -> None:
    assert on_discord(written) == [shown]


@given(st.lists(st.sampled_from(["https://a.example/b", "word ", "\n", "](", "`", "(", ")"])))
def test_links_are_within_the_limit_with_their_brackets(pieces: list[str]) -> None:
    text = "".join(pieces)
    parts = on_discord(text, 64)
    assert all(len(part) <= 64 for part in parts)
