from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("transformers")

from bot.inference.engines.base import Sequence
from bot.inference.text.delta import Delta
from bot.inference.text.generation import Generation, reasoning_budget
from bot.inference.text.prompt import ChatFormat
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

OPENING = {HARMONY: "<|channel|>analysis<|message|>", THINK: "<think>", ALWAYS_THINKING: ""}
CLOSING = {
    HARMONY: "<|end|><|start|>assistant<|channel|>final<|message|>",
    THINK: "\n</think>\n\n",
    ALWAYS_THINKING: "\n</think>\n\n",
}
END = {HARMONY: "<|return|>", THINK: "<|im_end|>", ALWAYS_THINKING: "<|im_end|>"}
reasoning_formats = pytest.mark.parametrize("chat_format", list(OPENING))


def begin(
    chat_format: ChatFormat,
    *,
    max_tokens: int = 1000,
    stop: tuple[str, ...] = (),
    budget: int | None = None,
) -> tuple[Generation, Sequence]:
    sequence = Sequence(chat_format.render([{"role": "user", "content": "Hi"}]))
    generation = Generation(
        chat_format, sequence, max_tokens=max_tokens, stop=stop, reasoning_budget=budget
    )
    return generation, sequence


def push_all(generation: Generation, ids: list[int]) -> Delta:
    """The text of `ids`, pushed until the generation is complete, and of its end."""
    shown = Delta()
    for token in ids:
        shown += generation.push(token)
        if generation.finish_reason:
            break
    return shown + generation.finish()


class Model:
    """Reasons until the closing tokens were fed to it, then says `answer`."""

    def __init__(self, chat_format: ChatFormat, answer: str) -> None:
        self._opening = chat_format.control_ids(OPENING[chat_format])
        self._thought = chat_format.control_ids("a")
        self._answer = chat_format.control_ids(answer)

    def run(self, generation: Generation, sequence: Sequence) -> Delta:
        shown = Delta()
        tokens = self._tokens(sequence)
        while generation.finish_reason is None:
            shown += generation.push(next(tokens))
        return shown + generation.finish()

    def _tokens(self, sequence: Sequence) -> Iterator[int]:
        script = list(self._opening)
        while True:
            if sequence.forced:
                yield sequence.forced.popleft()
                if not sequence.forced:
                    script = list(self._answer)
            else:
                yield from script[:1] or self._thought
                script = script[1:]


@reasoning_formats
def test_reasoning_and_answer_come_apart_and_are_counted(chat_format: ChatFormat) -> None:
    generation, sequence = begin(chat_format, budget=500)
    text = f"{OPENING[chat_format]}a b c{CLOSING[chat_format]}Hello!{END[chat_format]}"
    ids = chat_format.control_ids(text)
    shown = push_all(generation, ids)
    assert shown.reasoning.strip() == "a b c"
    assert shown.content == "Hello!"
    assert generation.finish_reason == "stop"
    assert generation.completion_tokens == len(ids)
    assert 4 <= generation.reasoning_tokens <= 6
    assert not sequence.forced


@reasoning_formats
def test_reasoning_that_used_its_share_is_closed_and_the_answer_follows(
    chat_format: ChatFormat,
) -> None:
    generation, sequence = begin(chat_format, budget=20)
    shown = Model(chat_format, f"Hello!{END[chat_format]}").run(generation, sequence)
    assert shown.content == "Hello!"
    assert set(shown.reasoning) == {"a"}
    assert generation.finish_reason == "stop"
    assert not sequence.forced


def test_forced_tokens_do_not_count_as_reasoning() -> None:
    generation, sequence = begin(HARMONY, budget=10)
    Model(HARMONY, "Hello<|return|>").run(generation, sequence)
    opening, closing, answer = (
        len(HARMONY.control_ids(text))
        for text in (OPENING[HARMONY], CLOSING[HARMONY], "Hello<|return|>")
    )
    assert generation.reasoning_tokens == 10 - opening
    assert generation.completion_tokens == 10 + closing + answer


@reasoning_formats
def test_a_model_that_reasons_again_after_the_forced_close_is_closed_again(
    chat_format: ChatFormat,
) -> None:
    generation, sequence = begin(chat_format, max_tokens=60, budget=20)
    shown = Model(chat_format, OPENING[chat_format] or "<think>").run(generation, sequence)
    assert generation.finish_reason == "length"
    assert generation.completion_tokens == 60
    assert generation.reasoning_tokens <= 20
    assert shown.content == ""


@reasoning_formats
def test_a_model_that_ends_its_turn_inside_its_reasoning_still_answers(
    chat_format: ChatFormat,
) -> None:
    class Hasty(Model):
        """Ends its turn as soon as its reasoning is open."""

        def __init__(self) -> None:
            super().__init__(chat_format, "Blue." + END[chat_format])
            self._thought = chat_format.control_ids(END[chat_format])

    generation, sequence = begin(chat_format, budget=500)
    assert Hasty().run(generation, sequence) == Delta(content="Blue.")
    assert generation.finish_reason == "stop"


@reasoning_formats
def test_a_small_request_keeps_tokens_for_its_answer(chat_format: ChatFormat) -> None:
    for max_tokens in (16, 32):
        generation, sequence = begin(
            chat_format, max_tokens=max_tokens, budget=reasoning_budget(max_tokens, "high")
        )
        shown = Model(chat_format, "Hello" * 30).run(generation, sequence)
        assert generation.finish_reason == "length"
        assert shown.content.startswith("Hello")


def test_the_share_of_reasoning_grows_with_the_effort_and_leaves_some_for_the_answer() -> None:
    shares = [reasoning_budget(1200, effort) for effort in ("low", "medium", "high")]
    assert shares == [600, 800, 900]
    assert reasoning_budget(1200, None) == 800


def test_without_a_budget_reasoning_goes_on_to_the_limit() -> None:
    generation, sequence = begin(HARMONY, max_tokens=50)
    Model(HARMONY, "").run(generation, sequence)
    assert generation.finish_reason == "length"
    assert generation.completion_tokens == 50
    assert not sequence.forced


def test_an_answer_longer_than_the_limit_ends_for_its_length() -> None:
    generation, _ = begin(PLAIN, max_tokens=3)
    shown = push_all(generation, PLAIN.control_ids("Hello Hello Hello Hello"))
    assert generation.finish_reason == "length"
    assert shown.content == "Hello Hello"[: len(shown.content)]
    assert generation.completion_tokens == 3


def test_a_turn_that_ends_on_the_last_token_stopped_by_itself() -> None:
    generation, _ = begin(PLAIN, max_tokens=2)
    push_all(generation, PLAIN.control_ids("Hello<|im_end|>"))
    assert generation.finish_reason == "stop"


def test_a_harmony_answer_that_ends_like_a_message_is_complete() -> None:
    generation, _ = begin(HARMONY)
    shown = push_all(generation, HARMONY.control_ids("<|channel|>final<|message|>Hello<|end|>"))
    assert shown == Delta(content="Hello")
    assert generation.finish_reason == "stop"


@pytest.mark.parametrize("token", ["<|return|>", "<|call|>"])
def test_harmonys_ends_of_turn_stop_and_show_nothing(token: str) -> None:
    generation, _ = begin(HARMONY)
    shown = push_all(generation, HARMONY.control_ids(f"<|channel|>final<|message|>Hi{token}"))
    assert shown == Delta(content="Hi")
    assert generation.finish_reason == "stop"


def test_tokens_that_an_engine_reports_after_the_end_show_nothing() -> None:
    generation, _ = begin(PLAIN)
    for token in PLAIN.control_ids("Hello<|im_end|>"):
        generation.push(token)
    assert generation.push(PLAIN.control_ids("more")[0]) == Delta()


def test_a_stop_string_ends_the_answer_and_never_shows() -> None:
    generation, _ = begin(PLAIN, stop=("the s",))
    shown = push_all(generation, PLAIN.control_ids("Why is the sky blue?"))
    assert shown.content == "Why is "
    assert generation.finish_reason == "stop"


def test_a_stop_string_that_never_comes_whole_is_shown_at_the_end() -> None:
    generation, _ = begin(PLAIN, stop=("blue!",))
    shown = push_all(generation, PLAIN.control_ids("The sky is blue<|im_end|>"))
    assert shown.content == "The sky is blue"


@reasoning_formats
def test_stop_strings_do_not_look_at_the_reasoning(chat_format: ChatFormat) -> None:
    generation, _ = begin(chat_format, stop=("b",))
    text = f"{OPENING[chat_format]}a b c{CLOSING[chat_format]}a b c{END[chat_format]}"
    shown = push_all(generation, chat_format.control_ids(text))
    assert shown.reasoning.strip() == "a b c"
    assert shown.content == "a "


@given(st.lists(st.integers(0, 451), max_size=60), st.integers(0, 40))
def test_any_harmony_tokens_are_followed_to_the_limit_without_fault(
    ids: list[int], budget: int
) -> None:
    generation, sequence = begin(HARMONY, max_tokens=60, budget=budget)
    remaining = iter(ids)
    while generation.finish_reason is None:
        token = sequence.forced.popleft() if sequence.forced else next(remaining, 300)
        shown = generation.push(token)
        assert "<|" not in shown.reasoning.replace("<|end", "")
    generation.finish()
    assert generation.completion_tokens <= 60
