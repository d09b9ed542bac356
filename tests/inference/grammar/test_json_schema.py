"""Answers of a model that draws at random, held to a schema."""

import json
import random
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers")
pytest.importorskip("llguidance")

from jsonschema import validate

from bot.inference.engines.base import Sequence
from bot.inference.grammar.json_schema import GrammarError, Grammars
from bot.inference.text.delta import Delta
from bot.inference.text.generation import Generation
from bot.inference.text.prompt import ChatFormat
from tests.inference.tokenizers_fixture import (
    ALWAYS_THINKING_TEMPLATE,
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
        grammar=chat_format.grammars.grammar(schema),
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
            token = draws.choice(np.flatnonzero(allowed).tolist())
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


def test_no_control_token_is_allowed_inside_of_an_answer() -> None:
    chat_format = FORMATS["harmony"]
    grammar = chat_format.grammars.grammar({"type": "string"})
    for token in chat_format.control_ids('"a'):
        grammar.consume(token)
    allowed = set(np.flatnonzero(grammar.allowed()).tolist())
    assert not allowed & set(harmony_tokenizer().added_tokens_decoder)


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
    grammars = Grammars(harmony_tokenizer(), [0])
    with pytest.raises(GrammarError) as info:
        grammars.grammar(schema)
    assert reason in str(info.value)
