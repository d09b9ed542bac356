"""Which calls need the asker, by what the answer has read."""

import re

import pytest

from bot.tools.approval import ApprovalReason, approval_for, reason_to_ask
from bot.tools.definition import Arguments, Tool, ToolResult
from bot.tools.link_filter import LinkFilter
from bot.tools.taint import Taint


async def run(arguments: Arguments) -> ToolResult:
    return ToolResult("")


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
        ("https://example.org/pag", ApprovalReason.ADDRESS),
        ("https://example.org/page?d=secret", ApprovalReason.ADDRESS),
        ("https://example.org/", ApprovalReason.ADDRESS),
        ("https://secret.evil.example/page", ApprovalReason.ADDRESS),
        ("http://example.org/page", ApprovalReason.ADDRESS),
    ],
)
def test_only_an_address_that_was_seen_to_the_last_sign_is_reached_after_others_were_read(
    url: str, reason: ApprovalReason | None
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
    assert reason_to_ask(SEARCH, {}, taint) is ApprovalReason.WORDS
    assert reason_to_ask(SEARCH, {}, Taint([], tainted=True)) is ApprovalReason.WORDS


def test_what_writes_asks_as_it_is_set_and_always_after_others_were_read() -> None:
    clean, tainted = Taint([], tainted=False), Taint([], tainted=True)
    assert reason_to_ask(tool(writes=True, approve="writes"), {}, clean) is ApprovalReason.WRITES
    assert reason_to_ask(tool(writes=True, approve="never"), {}, clean) is None
    assert reason_to_ask(tool(writes=True, approve="never"), {}, tainted) is ApprovalReason.WRITES
    assert reason_to_ask(tool(approve="always"), {}, clean) is ApprovalReason.ALWAYS
    assert reason_to_ask(tool(approve="writes"), {}, tainted) is None


def test_an_approval_is_of_one_call_with_its_arguments() -> None:
    def key(id: str, arguments: Arguments) -> str:
        return approval_for(id, OPEN, arguments, ApprovalReason.ADDRESS).key

    assert key("1", {"a": 1, "b": 2}) == key("1", {"b": 2, "a": 1})
    assert len({key("1", {"a": 1}), key("2", {"a": 1}), key("1", {"a": 2})}) == 3


def shown(text: str, size: int = 1000) -> str:
    """The text, which came in pieces of `size`, after others' words were read."""
    quiet = LinkFilter(Taint([SEEN], tainted=True))
    pieces = [quiet.add(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join(pieces) + quiet.rest()


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_an_address_that_nobody_saw_is_no_link_and_a_picture_is_none(size: int) -> None:
    text = (
        "Look ![x](https://evil.example/?d=secret) or [here](https://evil.example/a_b), at"
        " https://evil.example/?d=secret. Seen: [page](https://example.org/page),"
        " https://example.org/page. Not a link: [1] a! `https://evil.example/c`"
    )
    assert shown(text, size) == (
        "Look x (`evil.example/?d=secret`) or here (`evil.example/a_b`), at"
        " `evil.example/?d=secret`. Seen: [page](https://example.org/page),"
        " https://example.org/page. Not a link: [1] a! ` evil.example/c`"
    )


EVIL = "https://evil.example/?d=secret"


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(
    "text",
    [
        f"({EVIL})",
        f"<{EVIL}>",
        f"[a [b] c]({EVIL})",
        f"[{'a' * 400}]({EVIL})",
        f'[a]({EVIL} "title (1)")',
        f"[a]: {EVIL}",
        f"a ` b {EVIL} c",
        f"\\`{EVIL}\\`",
        f"`\n` {EVIL} `",
        f"x{EVIL}",
        f"https://{EVIL}",
        f"hthttps://tps://{EVIL.removeprefix('https://')}",
        f"{EVIL.upper()}",
        f"{'x' * 4000}{EVIL}",
        f"[{EVIL}](https://example.org/page)",
        f"![a [b] c]({EVIL})",
        "https://example.org/page]?d=secret",
        "https://example.org/page'?d=secret",
        "https://example.org/page`?d=secret",
    ],
)
def test_no_form_makes_an_address_of_what_nobody_saw(text: str, size: int) -> None:
    assert not re.search(r"https?://\S*(evil|secret)", shown(text, size), re.I)
    assert "![" not in shown(text, size)


@pytest.mark.parametrize(
    "text",
    [
        "See https://example.org/page, (https://example.org/page), <https://example.org/page>.",
        "`https://example.org/page` **https://example.org/page** \u201chttps://example.org/page\u201d",
        "[1](https://example.org/page)\u3002[2](http://a.example/x?y=1)\u3001",
        "[https://example.org/page](https://example.org/page)",
        "Not one: https and http:// and a[1](2), if x < y: f(`https`)!",
    ],
)
def test_what_was_seen_stays_as_it_is(text: str) -> None:
    assert shown(text) == text


def test_a_clean_answer_is_left_as_it_is() -> None:
    quiet = LinkFilter(Taint([], tainted=False))
    text = "![x](https://a.example/b) https://c.example"
    assert quiet.add(text) == text
