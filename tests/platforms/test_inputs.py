"""A long text over several inputs of a form."""

from hypothesis import given
from hypothesis import strategies as st

from bot.platforms.inputs import cut_for_inputs, joined_inputs


@given(st.text("ab \n-", max_size=300), st.integers(4, 60))
def test_a_text_that_is_opened_and_saved_is_as_it_was(text: str, limit: int) -> None:
    inputs = cut_for_inputs("text", text, limit, 100)
    assert all(len(piece) <= limit for piece in inputs.values())
    assert joined_inputs(inputs) == {"text": text.strip()}


@given(st.lists(st.text("abc", min_size=2, max_size=9), max_size=60).map(" ".join))
def test_nothing_is_lost_where_white_space_around_an_input_is(text: str) -> None:
    inputs = cut_for_inputs("text", text, 40, 100)
    trimmed = {name: piece.strip() for name, piece in inputs.items()}
    assert joined_inputs(trimmed) == {"text": text.strip()}


@given(st.text("ab \n", max_size=120), st.integers(1, 3))
def test_as_much_as_a_forms_inputs_can_hold_fits_in_them(text: str, most: int) -> None:
    text = text[: most * 40]
    inputs = cut_for_inputs("text", text, 40, most)
    assert len(inputs) <= most
    assert all(len(piece) <= 40 for piece in inputs.values())
    assert joined_inputs(inputs) == {"text": text.strip()}


def test_other_inputs_stay_as_they_are() -> None:
    assert joined_inputs({"text": "a", "text#1": "b", "level": "low"}) == {
        "text": "ab",
        "level": "low",
    }
