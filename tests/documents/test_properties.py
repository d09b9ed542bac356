"""What holds for every file: text comes back whole, limits hold, and nothing else is raised."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from bot.documents.extraction import encodings
from bot.documents.kinds import Kind, kind_of
from bot.documents.plain import plain_text
from bot.documents.problems import UnreadableFile
from bot.documents.reading import read_document

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\ufeff"))
MARKED = ("utf-8", "utf-8-sig", "utf-16", "utf-32")


@given(TEXT, st.sampled_from(MARKED))
async def test_text_that_names_its_encoding_comes_back_as_it_was(text: str, encoding: str) -> None:
    assert (await read_document(text.encode(encoding), Kind.TEXT, 1 << 30)).text == text


@given(TEXT, st.integers(0, 40))
async def test_no_more_than_the_limit_is_read_and_it_is_the_beginning(
    text: str, limit: int
) -> None:
    document = await read_document(text.encode(), Kind.TEXT, limit)
    assert text.startswith(document.text)
    assert len(document.text.encode()) <= limit
    assert document.cut == (len(text.encode()) > limit)


@given(TEXT, st.sampled_from(MARKED), st.integers(0, 60))
def test_the_first_bytes_of_a_text_are_the_beginning_of_it(
    text: str, encoding: str, size: int
) -> None:
    data = text.encode(encoding)[:size]
    shown = plain_text(data, complete=False)
    # Three bytes of UTF-16's mark or of UTF-32's may be taken for another mark.
    assert shown is None or text.startswith(shown) or len(data) < 4


WESTERN_WORDS = (
    "the",
    "price",
    "Größe",
    "déjà",
    "vu",
    "10 €",
    "über",
    "señor",
    "“so”",
    "café",
    "\n",
)


@given(st.lists(st.sampled_from(WESTERN_WORDS)).map(" ".join))
def test_western_text_comes_back_as_it_was(text: str) -> None:
    assert "".join(encodings.extract(text.encode("cp1252"))) == text


@given(st.text(st.sampled_from("abc äöü 10€\n"), min_size=1).filter(str.isprintable))
def test_utf_16_without_a_mark_comes_back_as_it_was(text: str) -> None:
    text = "id: " + text
    for encoding in ("utf-16-le", "utf-16-be"):
        assert "".join(encodings.extract(text.encode(encoding))) == text


@given(st.binary(max_size=400))
def test_any_bytes_are_text_without_control_characters_or_unreadable(data: bytes) -> None:
    with suppress(UnreadableFile):
        text = "".join(encodings.extract(data))
        assert not {c for c in text if c < " "} - set("\t\n\v\f\r\x1b")


@given(st.text(), st.text())
def test_every_name_has_a_kind(name: str, content_type: str) -> None:
    assert kind_of(name, content_type) in Kind
