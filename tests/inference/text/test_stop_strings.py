from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.inference.text.stop_strings import StopStrings


def expected(text: str, stops: list[str]) -> tuple[str, bool]:
    """What is shown of `text`, found by looking at it character by character."""
    for end in range(len(text) + 1):
        complete = [stop for stop in stops if stop and text[:end].endswith(stop)]
        if complete:
            return text[: end - max(map(len, complete))], True
    return text, False


few_letters = st.text("ab", max_size=12)


@settings(max_examples=400)
@given(few_letters, st.lists(st.text("ab", max_size=4), max_size=4), st.sets(st.integers(0, 12)))
def test_text_stops_at_the_first_complete_stop_string_however_it_is_cut(
    text: str, stops: list[str], cuts: set[int]
) -> None:
    scanner = StopStrings(stops)
    bounds = sorted({0, *(cut for cut in cuts if cut < len(text)), len(text)})
    shown, found = expected(text, stops)
    got = ""
    for begin, end in pairwise(bounds):
        got += scanner.push(text[begin:end])
        assert shown.startswith(got)
    assert got + scanner.flush() == shown
    assert scanner.found == found


@settings(max_examples=200)
@given(few_letters, st.lists(st.text("ab", min_size=1, max_size=4), max_size=4))
def test_nothing_is_held_back_longer_than_a_stop_string_may_need(
    text: str, stops: list[str]
) -> None:
    scanner = StopStrings(stops)
    shown = scanner.push(text)
    held = text[len(shown) :]
    assert scanner.found or not held or any(stop.startswith(held) for stop in stops)


def test_the_text_after_a_stop_string_is_kept_apart() -> None:
    scanner = StopStrings(["</think>"])
    assert scanner.push("a</th") == "a"
    assert scanner.push("ink>b") == ""
    assert scanner.rest == "b"


def test_after_a_stop_string_nothing_is_shown() -> None:
    scanner = StopStrings(["END"])
    assert scanner.push("aENDb") == "a"
    assert scanner.push("c") + scanner.flush() == ""
