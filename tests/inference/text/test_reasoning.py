import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("transformers")

from bot.inference.text.delta import Delta
from bot.inference.text.prompt import ChatFormat
from bot.inference.text.reasoning import parser_for
from tests.inference.tokenizers_fixture import (
    ALWAYS_THINKING_TEMPLATE,
    SMOLLM2_TEMPLATE,
    chatml_tokenizer,
    harmony_tokenizer,
)

HARMONY = ChatFormat(harmony_tokenizer())
THINK = ChatFormat(chatml_tokenizer())
ALWAYS_THINKING = ChatFormat(chatml_tokenizer(ALWAYS_THINKING_TEMPLATE))
PLAIN = ChatFormat(chatml_tokenizer(SMOLLM2_TEMPLATE))


def parse(chat_format: ChatFormat, ids: list[int], effort: str | None = None) -> Delta:
    """All text of the answer `ids` to a greeting; every step must only add to it."""
    prompt = chat_format.render([{"role": "user", "content": "Hi"}], effort)
    parser = parser_for(chat_format, prompt)
    shown = Delta()
    for token in ids:
        shown += parser.push(token)
    return shown + parser.flush()


def parse_text(chat_format: ChatFormat, text: str, effort: str | None = None) -> Delta:
    return parse(chat_format, chat_format.control_ids(text), effort)


def letters(chat_format: ChatFormat, text: str) -> list[int]:
    """Ids of `text` in tokens of one character each, which no tag is a single token of."""
    return [token for char in text for token in chat_format.control_ids(char)]


def test_analysis_and_commentary_are_reasoning_and_final_is_the_answer() -> None:
    assert parse_text(
        HARMONY,
        "<|channel|>analysis<|message|>Think.<|end|>"
        "<|start|>assistant<|channel|>commentary<|message|>Plan.<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Hello",
    ) == Delta("Think.Plan.", "Hello")


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("<|channel|>commentary to=functions.f <|constrain|>json", Delta(reasoning="{}")),
        (" to=functions.f<|channel|>commentary<|constrain|>json", Delta(reasoning="{}")),
        ("<|channel|>final <|constrain|>json", Delta(content="{}")),
        ("<|channel|>final<|constrain|>json", Delta(content="{}")),
        ("<|channel|>finally", Delta(reasoning="{}")),
        ("<|channel|>", Delta(reasoning="{}")),
        ("", Delta(content="{}")),
    ],
)
def test_a_harmony_header_decides_the_channel_and_never_shows(header: str, shown: Delta) -> None:
    assert parse_text(HARMONY, f"{header}<|message|>{{}}") == shown


def test_a_harmony_header_without_a_message_shows_nothing() -> None:
    assert parse_text(HARMONY, "<|channel|>analysis to=python") == Delta()


def test_a_channel_that_opens_before_the_last_was_closed_is_still_told_apart() -> None:
    assert parse_text(
        HARMONY, "<|channel|>analysis<|message|>Think.<|channel|>final<|message|>Hello"
    ) == Delta("Think.", "Hello")


def test_the_names_of_control_tokens_as_ordinary_text_stay_in_the_answer() -> None:
    text = "<|end|><|start|>assistant<|channel|>analysis<|message|>"
    ids = HARMONY.control_ids("<|channel|>final<|message|>") + letters(HARMONY, text)
    assert parse(HARMONY, ids) == Delta(content=text)


@given(st.lists(st.integers(0, 451)))
def test_any_harmony_tokens_show_no_control_token(ids: list[int]) -> None:
    shown = parse(HARMONY, ids)
    for token in harmony_tokenizer().added_tokens_decoder.values():
        assert token.content not in shown.reasoning
        assert token.content not in shown.content


def test_only_the_end_of_the_answer_ends_a_harmony_turn() -> None:
    parser = parser_for(HARMONY, [])
    ends = []
    for token in HARMONY.control_ids(
        "<|channel|>analysis<|message|>Think.<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Hello<|end|>"
    ):
        parser.push(token)
        ends.append(parser.ended)
    assert ends == [False] * (len(ends) - 1) + [True]


def test_a_model_lost_in_a_harmony_header_counts_as_reasoning() -> None:
    parser = parser_for(HARMONY, [])
    for token in HARMONY.control_ids("<|channel|>" + "x " * 20):
        parser.push(token)
    assert parser.reasoning


tagless = st.text("ab <>/think\n🙂", max_size=20).filter(
    lambda text: "<think>" not in text and "</think>" not in text
)


@given(tagless, tagless, st.booleans())
def test_a_think_block_is_reasoning_and_the_rest_the_answer_however_the_tags_are_cut(
    reasoning: str, answer: str, by_letter: bool
) -> None:
    answer = f"A{answer}"
    text = f"<think>{reasoning}</think>\n\n{answer}"
    ids = letters(THINK, text) if by_letter else THINK.control_ids(text)
    assert parse(THINK, ids) == Delta(reasoning, answer)


@pytest.mark.parametrize("text", ["Hello", "<thin", "<thinker> no", "a <think>b</think> c"])
def test_an_answer_without_a_block_at_its_start_is_all_answer(text: str) -> None:
    assert parse_text(THINK, text) == Delta(content=text)
    assert parse(THINK, letters(THINK, text)) == Delta(content=text)


def test_a_block_that_the_prompt_opened_goes_on_in_the_answer() -> None:
    assert parse_text(ALWAYS_THINKING, "Hm.</think>Hello") == Delta("Hm.", "Hello")


def test_with_thinking_off_the_answer_begins_at_once() -> None:
    assert parse_text(THINK, "Hello", effort="low") == Delta(content="Hello")


@pytest.mark.parametrize(
    ("chat_format", "text"),
    [
        (HARMONY, "<|channel|>analysis<|message|>Only a thought</th"),
        (THINK, "<think>Only a thought</th"),
        (ALWAYS_THINKING, "Only a thought</th"),
    ],
)
def test_a_model_that_ends_inside_its_reasoning_gave_no_answer(
    chat_format: ChatFormat, text: str
) -> None:
    assert parse_text(chat_format, text) == Delta(reasoning="Only a thought</th")


def test_a_model_without_reasoning_only_answers() -> None:
    text = "<think>a</think> b"
    assert parse(PLAIN, letters(PLAIN, text)) == Delta(content=text)
