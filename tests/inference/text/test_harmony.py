"""What gpt-oss writes beside its format's rules still becomes an answer, and only its own."""

from collections.abc import Iterator

import pytest

pytest.importorskip("transformers")

from bot.inference.engines.base import Sequence
from bot.inference.text.delta import Delta
from bot.inference.text.generation import Generation
from bot.inference.text.prompt import ChatFormat
from tests.inference.tokenizers_fixture import harmony_tokenizer

HARMONY = ChatFormat(harmony_tokenizer())
THOUGHT = "<|channel|>analysis<|message|>Two hours before.<|end|>"
BLANK = [
    f"{THOUGHT}<|return|>",
    f"{THOUGHT}<|start|>assistant<|return|>",
    f"{THOUGHT}<|start|>assistant<|channel|>fi<|return|>",
    f"{THOUGHT}<|start|>assistant<|channel|>final<|return|>",
    f"{THOUGHT}<|start|>assistant<|channel|>final<|message|><|return|>",
    f"{THOUGHT}<|start|>assistant<|channel|>final<|message|><|end|>",
    f"{THOUGHT}<|start|>assistant<|channel|>final<|message|> \n<|return|>",
    f"{THOUGHT}<|start|>assistant<|channel|>commentary to=functions.f<|message|>{{}}<|call|>",
    f"{THOUGHT}<|start|><|return|>",
    "<|return|>",
    "<|end|><|return|>",
    "<|channel|><|return|>",
    " to=<|return|>",
    "<|channel|>analysis<|message|>Two hours before.<|return|>",
]
"""Turns that end without an answer, in every place that a stop token can come at."""


def generate(*turns: str, max_tokens: int = 1000) -> tuple[Generation, Delta]:
    """A model that says `turns`, the next one each time that an answer was begun for it."""
    sequence = Sequence(HARMONY.render([{"role": "user", "content": "Hi"}]))
    generation = Generation(HARMONY, sequence, max_tokens=max_tokens, reasoning_budget=500)

    def tokens() -> Iterator[int]:
        for turn in turns:
            for token in HARMONY.control_ids(turn):
                if sequence.forced:
                    break
                yield token
            while not sequence.forced:
                yield HARMONY.control_ids("x")[0]
            while sequence.forced:
                yield sequence.forced.popleft()

    sampled = tokens()
    shown = Delta()
    while generation.finish_reason is None:
        shown += generation.push(next(sampled))
    return generation, shown + generation.finish()


@pytest.mark.parametrize(
    ("tokens", "content"),
    [
        ("Two hours before.<|return|>", "Two hours before."),
        (" Two hours before.<|end|>", " Two hours before."),
        (f"{THOUGHT}Two hours before.<|return|>", "Two hours before."),
        (f"{THOUGHT}<|start|>assistantTwo hours before.<|return|>", "Two hours before."),
        (f"{THOUGHT}<|start|>assistant<|message|>At noon.<|return|>", "At noon."),
        ("to be or not<|return|>", "to be or not"),
        ("🙂 é<|return|>", "🙂 é"),
    ],
)
def test_text_without_a_header_is_the_answer(tokens: str, content: str) -> None:
    generation, shown = generate(tokens)
    assert (shown.content, generation.finish_reason) == (content, "stop")


def test_text_without_a_header_is_shown_as_it_comes() -> None:
    sequence = Sequence(HARMONY.render([{"role": "user", "content": "Hi"}]))
    generation = Generation(HARMONY, sequence, max_tokens=100, reasoning_budget=50)
    assert generation.push(HARMONY.control_ids("The")[0]).content


@pytest.mark.parametrize("tokens", BLANK)
def test_a_turn_that_ends_without_an_answer_goes_on_in_the_final_channel(tokens: str) -> None:
    generation, shown = generate(tokens, "At noon.<|return|>")
    assert (shown.content.strip(), generation.finish_reason) == ("At noon.", "stop")
    assert "fi" not in shown.reasoning


@pytest.mark.parametrize("tokens", BLANK)
def test_a_model_that_never_answers_is_told_apart_from_an_empty_answer(tokens: str) -> None:
    generation, shown = generate(tokens, "<|return|>", " <|return|>")
    assert (shown.content.strip(), generation.finish_reason) == ("", "error")


@pytest.mark.parametrize(
    "header",
    ["user", "system", "developer", "tool", "functions.tide to=assistant<|channel|>commentary"],
)
def test_a_message_in_anothers_name_is_shown_nowhere(header: str) -> None:
    _, shown = generate(
        f"{THOUGHT}<|start|>{header}<|message|>and the east gate?<|end|>"
        "<|start|>assistant<|channel|>final<|message|>At noon.<|return|>"
    )
    assert shown == Delta("Two hours before.", "At noon.")


def test_a_model_that_only_writes_in_anothers_name_is_made_to_answer() -> None:
    _, shown = generate("<|end|><|start|>user<|message|>And now?<|return|>", "At noon.<|return|>")
    assert shown == Delta(content="At noon.")
