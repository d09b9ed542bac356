from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("transformers")

from tokenizers import Tokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from bot.inference.text.detokenizer import Detokenizer
from tests.inference.tokenizers_fixture import harmony_tokenizer, sentencepiece_tokenizer

BYTE_LEVEL: Tokenizer = harmony_tokenizer().backend_tokenizer
SENTENCEPIECE: Tokenizer = sentencepiece_tokenizer().backend_tokenizer
TOKEN_OF_BYTE = {byte: BYTE_LEVEL.token_to_id(char) for byte, char in bytes_to_unicode().items()}


def pieces(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    """The text of each id as it is pushed, and last what the flush gives."""
    detokenizer = Detokenizer(tokenizer)
    return [*map(detokenizer.push, ids), detokenizer.flush()]


def whole(tokenizer: Tokenizer, ids: list[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=False))


@given(st.lists(st.integers(0, BYTE_LEVEL.get_vocab_size() - 1)))
def test_the_pieces_of_any_byte_level_tokens_make_the_text_of_all(ids: list[int]) -> None:
    assert "".join(pieces(BYTE_LEVEL, ids)) == whole(BYTE_LEVEL, ids)


@given(st.text(), st.sets(st.integers(0, 60)))
def test_no_piece_breaks_a_character_however_the_text_is_cut_into_tokens(
    text: str, cuts: set[int]
) -> None:
    encoded = text.encode()
    ids: list[int] = []
    for begin, end in pairwise(sorted({0, *cuts, len(encoded)})):
        try:
            part = encoded[begin:end].decode()
            ids += BYTE_LEVEL.encode(part, add_special_tokens=False).ids
        except UnicodeDecodeError:
            ids += [TOKEN_OF_BYTE[byte] for byte in encoded[begin:end]]
    assert "".join(pieces(BYTE_LEVEL, ids)) == text


@given(st.text())
def test_any_text_in_sentencepiece_tokens_comes_out_whole(text: str) -> None:
    ids = SENTENCEPIECE.encode(text, add_special_tokens=False).ids
    assert "".join(pieces(SENTENCEPIECE, ids)) == whole(SENTENCEPIECE, ids)


@given(st.lists(st.integers(0, SENTENCEPIECE.get_vocab_size() - 1)))
def test_bytes_that_are_no_characters_do_not_stop_the_text_after_them(ids: list[int]) -> None:
    hello = SENTENCEPIECE.encode("Hello", add_special_tokens=False).ids
    assert "".join(pieces(SENTENCEPIECE, ids + hello)).endswith("Hello")


@pytest.mark.parametrize("tokenizer", [BYTE_LEVEL, SENTENCEPIECE])
def test_an_emoji_appears_with_its_last_byte(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("a🙂", add_special_tokens=False).ids
    assert [piece for piece in pieces(tokenizer, ids) if piece] == ["a", "🙂"]
    assert pieces(tokenizer, ids)[-2] == "🙂"


def test_a_character_that_is_never_completed_comes_as_a_replacement_at_the_end() -> None:
    ids = BYTE_LEVEL.encode("a🙂", add_special_tokens=False).ids[:-1]
    assert [piece for piece in pieces(BYTE_LEVEL, ids) if piece] == ["a", "\ufffd"]


def test_the_first_word_loses_its_space_and_later_ones_keep_it() -> None:
    ids = SENTENCEPIECE.encode("blue sky", add_special_tokens=False).ids
    assert "".join(pieces(SENTENCEPIECE, ids)) == "blue sky"
    assert pieces(SENTENCEPIECE, [ids[0], *ids])[0] == pieces(SENTENCEPIECE, ids)[0]


def test_hidden_tokens_have_no_text() -> None:
    end = BYTE_LEVEL.token_to_id("<|end|>")
    hello = BYTE_LEVEL.encode("Hello", add_special_tokens=False).ids
    detokenizer = Detokenizer(BYTE_LEVEL, {end})
    assert "".join(map(detokenizer.push, [end, *hello, end, *hello])) == "HelloHello"
