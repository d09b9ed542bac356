"""Links in a summary are made by code, from the numbers that the model cites."""

import re

import pytest

from bot.conversation.catching_up.citations import MessageCitations

LINKS = [f"https://chat.example/m/{number}" for number in range(1, 21)]
CITATIONS = MessageCitations(LINKS, re.compile(r"https://chat\.example/m/\S*"))


def links(text: str) -> list[str]:
    return re.findall(r"\]\((.*?)\)", text)


@pytest.mark.parametrize(
    ("cited", "numbers"),
    [
        ("It broke [3].", [3]),
        ("It broke [3, 5].", [3, 5]),
        ("It broke [3][5].", [3, 5]),
        ("It broke [3; 5] and [20]", [3, 5, 20]),
        ("It broke [3-5].", [3, 5]),
        ("It broke [3\u20135].", [3, 5]),
        ("It broke [#3].", [3]),
        ("It broke 【3†L1-L4】.", [3]),
        ("It broke [3, 3].", [3]),
    ],
)
def test_a_number_becomes_a_link_to_its_message(cited: str, numbers: list[int]) -> None:
    assert links(CITATIONS.linked(cited)) == [LINKS[number - 1] for number in numbers]


def test_several_numbers_become_a_link_each() -> None:
    assert CITATIONS.linked("It broke [3, 5].") == f"It broke [↗]({LINKS[2]}) [↗]({LINKS[4]})."


@pytest.mark.parametrize("cited", ["[0]", "[21]", "[99999999999]", "[21, 400]"])
def test_a_number_that_no_message_has_is_dropped(cited: str) -> None:
    assert CITATIONS.linked(f"It broke {cited}.") == "It broke."


def test_what_is_no_citation_stays() -> None:
    text = "[x] done, [3 items], a[i] and [link] say"
    assert CITATIONS.linked(text) == text


@pytest.mark.parametrize(
    "forged",
    [
        "[3](https://evil.example)",
        "[look](https://evil.example)",
        "[look]: https://evil.example",
        "see https://chat.example/m/7 there",
        "[here](https://chat.example/m/7)",
        "[[3]](https://chat.example/m/7)",
    ],
)
def test_a_link_of_the_models_own_is_none(forged: str) -> None:
    shown = CITATIONS.linked(forged)
    assert set(links(shown)) <= {LINKS[2]}
    assert "]:" not in shown
    assert LINKS[6] not in shown


@pytest.mark.parametrize(
    ("forged", "shown"),
    [
        ("[look](https://evil.example)", "[look] (https://evil.example)"),
        ("[look]: https://evil.example", "[look] : https://evil.example"),
        ("see https://chat.example/m/7 there", "see  there"),
    ],
)
def test_of_a_link_of_the_models_own_the_text_is_left(forged: str, shown: str) -> None:
    assert CITATIONS.linked(forged) == shown


def test_half_a_number_waits_for_the_rest() -> None:
    assert CITATIONS.linked("It broke [1", finished=False) == "It broke"
    assert CITATIONS.linked("It broke [1") == "It broke [1"
    assert links(CITATIONS.linked("It broke [12]", finished=False)) == [LINKS[11]]


def test_notes_about_a_part_cite_only_the_part() -> None:
    assert CITATIONS.only("Both [3, 12]. None [20].", range(1, 10)) == "Both [3]. None."
    assert CITATIONS.only("Both [3, 5].", range(1, 10)) == "Both [3] [5]."
