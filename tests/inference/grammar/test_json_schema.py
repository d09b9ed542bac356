"""Answers of a model that draws at random, held to a schema."""

import json
import random
from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("llguidance")

from jsonschema import validate
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from bot.inference.engines.base import Sequence
from bot.inference.grammar.grammar import GrammarError, Grammars
from bot.inference.grammar.json_schema import check
from bot.inference.grammar.turns import Rules
from bot.inference.text.delta import Delta
from bot.inference.text.generation import Form, Generation
from bot.inference.text.prompt import ChatFormat, ReasoningStyle
from tests.inference.masks import tokens_of
from tests.inference.tokenizers_fixture import (
    ALWAYS_THINKING_TEMPLATE,
    QWEN3_TEMPLATE,
    SMOLLM2_TEMPLATE,
    chatml_tokenizer,
    harmony_tokenizer,
    sentencepiece_tokenizer,
)

FORMATS = {
    "plain": ChatFormat(chatml_tokenizer(SMOLLM2_TEMPLATE)),
    "thinking": ChatFormat(chatml_tokenizer(ALWAYS_THINKING_TEMPLATE)),
    "sentencepiece": ChatFormat(sentencepiece_tokenizer()),
    "harmony": ChatFormat(harmony_tokenizer()),
}
THOUGHTS = {
    "plain": "",
    "thinking": "{ what now }</think>",
    "sentencepiece": "",
    "harmony": "analysis<|message|>{ what now }<|end|>",
}
"""What each model thinks first, which the schema leaves free."""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "place": {"enum": ["Heron Point", "Crane Bay é🙂"]},
        "hours": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 23},
            "maxItems": 3,
        },
        "note": {"type": "string", "maxLength": 6},
        "sure": {"type": ["boolean", "null"]},
    },
    "required": ["place", "hours", "note", "sure"],
    "additionalProperties": False,
}


def form(chat_format: ChatFormat, rules: Rules, *, holds_answers: bool = True) -> Form:
    harmony = chat_format.reasoning is ReasoningStyle.HARMONY
    lark = rules.harmony_message() if harmony else rules.tagged_answer()
    return Form(chat_format.grammars.grammar(lark), holds_answers)


def answer(name: str, seed: int, schema: dict[str, Any] = SCHEMA) -> tuple[Delta, str | None]:
    """The answer of a model that thinks, and then draws each token at random from all allowed."""
    chat_format = FORMATS[name]
    draws = random.Random(seed)
    sequence = Sequence(chat_format.render([{"role": "user", "content": "Hi"}]))
    generation = Generation(
        chat_format,
        sequence,
        max_tokens=600,
        reasoning_budget=300,
        form=form(chat_format, Rules(answer=schema)),
    )
    script = chat_format.control_ids(THOUGHTS[name])
    if name == "harmony":
        script += chat_format.control_ids("final<|message|>")
    shown = Delta()
    while generation.finish_reason is None:
        if sequence.forced:
            token = sequence.forced.popleft()
        elif script:
            token = script.pop(0)
        else:
            assert sequence.mask is not None
            allowed = sequence.mask()
            assert allowed is not None
            token = draws.choice(tokens_of(allowed))
        shown += generation.push(token)
    return shown + generation.finish(), generation.finish_reason


@pytest.mark.parametrize("name", FORMATS)
def test_whatever_is_drawn_keeps_to_the_schema(name: str) -> None:
    for seed in range(100):
        shown, reason = answer(name, seed)
        assert reason == "stop"
        validate(json.loads(shown.content), SCHEMA)


@pytest.mark.parametrize("name", ["thinking", "harmony"])
def test_reasoning_is_left_free(name: str) -> None:
    assert answer(name, 0)[0].reasoning.strip() == "{ what now }"


def test_a_model_that_opens_its_reasoning_itself_may_do_so_once_before_its_answer() -> None:
    chat_format = ChatFormat(chatml_tokenizer(QWEN3_TEMPLATE))
    (think,) = chat_format.control_ids("<think>")
    sequence = Sequence(chat_format.render([{"role": "user", "content": "Hi"}]))
    rules = Rules(answer={"type": "boolean"})
    generation = Generation(
        chat_format, sequence, max_tokens=60, reasoning_budget=30, form=form(chat_format, rules)
    )
    assert sequence.mask is not None
    before = sequence.mask()
    assert before is not None
    assert {think, *chat_format.control_ids("t")} <= set(tokens_of(before))
    shown = Delta()
    for token in chat_format.control_ids("<think>Is it?"):
        shown += generation.push(token)
    assert sequence.mask() is None
    for token in chat_format.control_ids("</think>"):
        shown += generation.push(token)
    after = sequence.mask()
    assert after is not None
    assert set(tokens_of(after)) == set(tokens_of(before)) - {think}
    assert shown == Delta(reasoning="Is it?")


def test_no_control_token_is_allowed_inside_of_an_answer() -> None:
    chat_format = FORMATS["harmony"]
    grammar = chat_format.grammars.grammar(Rules(answer={"type": "string"}).tagged_answer())
    grammar.consume(chat_format.control_ids('"a'))
    allowed = grammar.allowed()
    assert allowed is not None
    assert not set(tokens_of(allowed)) & set(harmony_tokenizer().added_tokens_decoder)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"not": {}}, 'Unimplemented keys: ["not"]'),
        ({"type": "strin"}, "Invalid type: strin"),
        ({"$ref": "http://127.0.0.1:9/schema"}, "not present in a registry"),
        ({"enum": ["x" * 70_000]}, "longer than 65536 characters"),
    ],
)
def test_a_schema_that_can_not_be_kept_is_refused_with_the_reason(
    schema: dict[str, Any], reason: str
) -> None:
    with pytest.raises(GrammarError) as info:
        check(schema)
    assert reason in str(info.value)


def test_a_tokenizer_without_masks_is_told_when_a_form_is_asked_for() -> None:
    words = Tokenizer(WordLevel({"a": 0, "b": 1}, unk_token="a"))
    with pytest.raises(GrammarError, match="its tokenizer has no masks"):
        Grammars(words, []).grammar(Rules(answer={}).tagged_answer())


def test_an_answer_whose_form_takes_too_much_work_ends_as_an_error_and_shows_nothing_else() -> None:
    much = {"type": "array", "items": {"type": "null"}, "minItems": 100_000}
    chat_format = FORMATS["plain"]
    sequence = Sequence(chat_format.render([{"role": "user", "content": "Hi"}]))
    held = form(chat_format, Rules(answer=much))
    generation = Generation(chat_format, sequence, max_tokens=600, form=held)
    shown = Delta()
    assert sequence.mask is not None
    while generation.finish_reason is None:
        allowed = sequence.mask()
        (free,) = chat_format.control_ids("x")
        shown += generation.push(free if allowed is None else tokens_of(allowed)[0])
    assert generation.finish_reason == "error"
    assert "x" not in (shown + generation.finish()).content
