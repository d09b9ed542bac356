"""Calls of a model that draws at random, held to what was offered."""

import json
import random
from collections import Counter
from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("llguidance")

from jsonschema import validate

from bot.inference.engines.base import Sequence
from bot.inference.grammar.grammar import GrammarError
from bot.inference.grammar.json_schema import arguments_rule
from bot.inference.grammar.turns import Function, Rules
from bot.inference.text.delta import Delta
from bot.inference.text.generation import CallPolicy, Generation
from bot.inference.text.prompt import ChatFormat
from tests.inference.grammar.test_json_schema import SCHEMA, form
from tests.inference.masks import tokens_of
from tests.inference.tokenizers_fixture import (
    QWEN3_TOOLS_TEMPLATE,
    chatml_tokenizer,
    harmony_tokenizer,
)

OWN = "browser.find"
"""A tool that gpt-oss was trained on."""
PARAMETERS: dict[str, dict[str, Any]] = {
    "tide": SCHEMA,
    "tide_at": {
        "type": "object",
        "properties": {
            "place": {"type": "string", "maxLength": 8},
            "depth": {"type": "number", "minimum": -2, "maximum": 12.5},
            "at": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 23}, {"type": "null"}]},
        },
        "required": ["depth"],
    },
    "now": {},
    OWN: {"type": "object", "properties": {"pattern": {"type": "string", "maxLength": 6}}},
}
FORMATS = {
    "harmony": ChatFormat(harmony_tokenizer()),
    "qwen3": ChatFormat(chatml_tokenizer(QWEN3_TOOLS_TEMPLATE)),
    "thinking": ChatFormat(
        chatml_tokenizer(QWEN3_TOOLS_TEMPLATE.replace('assistant\\n"', 'assistant\\n<think>\\n"'))
    ),
}
THOUGHTS = {
    "harmony": "analysis<|message|>{ what now }<|end|>",
    "qwen3": "",
    "thinking": "{ what now }</think>",
}


def functions(strict: bool = True) -> list[Function]:
    return [
        Function(name, arguments_rule(p, strict=strict), own=name == OWN)
        for name, p in PARAMETERS.items()
    ]


def draw(name: str, seed: int, rules: Rules, max_tokens: int = 1200) -> tuple[Delta, str | None]:
    """The turn of a model that thinks, and then draws each token at random from all allowed.

    Where it is free, it ends what it writes.
    """
    chat_format = FORMATS[name]
    draws = random.Random(seed)
    sequence = Sequence(chat_format.render([{"role": "user", "content": "Hi"}]))
    calling = CallPolicy(frozenset(PARAMETERS), rules.must_call, rules.parallel)
    generation = Generation(
        chat_format,
        sequence,
        max_tokens=max_tokens,
        reasoning_budget=max_tokens // 2,
        calling=calling,
        form=form(chat_format, rules, holds_answers=name != "harmony"),
    )
    script = chat_format.control_ids(THOUGHTS[name])
    (end,) = chat_format.control_ids("<|end|>" if name == "harmony" else "<|im_end|>")
    shown = Delta()
    while generation.finish_reason is None:
        assert sequence.mask is not None
        if sequence.forced:
            token = sequence.forced.popleft()
        elif script:
            token = script.pop(0)
        elif (allowed := sequence.mask()) is None:
            token = end
        else:
            may = tokens_of(allowed)
            token = end if end in may else draws.choice(may)
        shown += generation.push(token)
    return shown + generation.finish(), generation.finish_reason


def check_calls(shown: Delta) -> list[str]:
    for call in shown.calls:
        validate(json.loads(call.arguments), PARAMETERS[call.name])
    return [call.name for call in shown.calls]


@pytest.mark.parametrize("name", FORMATS)
def test_a_call_that_must_be_made_is_one_of_those_offered_and_keeps_to_its_schema(
    name: str,
) -> None:
    rules = Rules(functions(), must_call=True)
    called = Counter[str]()
    for seed in range(60):
        shown, reason = draw(name, seed, rules)
        assert reason == "tool_calls"
        called.update(check_calls(shown))
        assert shown.content.strip() == ""
    assert set(called) == set(PARAMETERS)


@pytest.mark.parametrize("name", ["harmony", "thinking"])
def test_a_model_thinks_before_a_call_that_it_must_make(name: str) -> None:
    shown, _ = draw(name, 0, Rules(functions(), must_call=True))
    assert shown.reasoning.strip() == "{ what now }"


def test_gpt_oss_calls_or_answers_as_it_likes_and_never_calls_anything_else() -> None:
    reasons = Counter[str | None]()
    for seed in range(60):
        shown, reason = draw("harmony", seed, Rules(functions()))
        reasons[reason] += 1
        check_calls(shown)
        assert bool(shown.calls) == (reason == "tool_calls")
    assert reasons["tool_calls"] > 5


@pytest.mark.parametrize("name", ["qwen3", "thinking"])
@pytest.mark.parametrize("written", ["", "I look it up.\n"])
def test_a_tag_in_free_text_begins_a_call_that_keeps_to_its_schema(name: str, written: str) -> None:
    chat_format = FORMATS[name]
    for seed in range(10):
        draws = random.Random(seed)
        sequence = Sequence(chat_format.render([{"role": "user", "content": "Hi"}]))
        rules = Rules(functions(), parallel=False)
        generation = Generation(
            chat_format,
            sequence,
            max_tokens=1200,
            calling=CallPolicy(frozenset(PARAMETERS), parallel=False),
            form=form(chat_format, rules),
        )
        shown = Delta()
        for token in chat_format.control_ids(f"{THOUGHTS[name]}{written}<tool_call>"):
            shown += generation.push(token)
        while generation.finish_reason is None:
            assert sequence.mask is not None
            allowed = sequence.mask()
            assert allowed is not None
            shown += generation.push(draws.choice(tokens_of(allowed)))
        shown += generation.finish()
        assert generation.finish_reason == "tool_calls"
        assert len(check_calls(shown)) == 1
        assert shown.content.strip() == written.strip()


def test_an_answer_with_a_form_or_calls_beside_it() -> None:
    for name in FORMATS:
        kinds = set()
        for seed in range(30):
            rules = Rules(functions(), answer=SCHEMA)
            shown, _ = draw(name, seed, rules)
            if not shown.calls and shown.content.startswith("{"):
                validate(json.loads(shown.content), SCHEMA)
            kinds.add(bool(check_calls(shown)))
        assert kinds == {True, False}


def test_what_can_not_be_kept_is_refused_where_it_is_strict_and_left_out_where_it_is_not() -> None:
    odd = {"type": "object", "properties": {"a": {"type": "string", "not": {"const": "b"}}}}
    with pytest.raises(GrammarError, match="not"):
        arguments_rule(odd, strict=True)
    assert '"a"' in arguments_rule(odd, strict=False)
    far = {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/a"}}}
    assert '"type": "object"' in arguments_rule(far, strict=False)
    for strict in (True, False):
        with pytest.raises(GrammarError, match="JSON object"):
            arguments_rule({"type": "string"}, strict=strict)


def test_arguments_have_only_the_properties_that_a_schema_names() -> None:
    assert '"additionalProperties": false' in arguments_rule(PARAMETERS["tide_at"], strict=False)
    free = PARAMETERS["tide_at"] | {"additionalProperties": {"type": "integer"}}
    assert '"additionalProperties": {"type": "integer"}' in arguments_rule(free, strict=False)


def test_gpt_oss_speaks_to_its_own_tools_by_their_names() -> None:
    lark = Rules(functions(), must_call=True).harmony_message()
    assert f'"{OWN}" form' in lark
    assert f'"functions.{OWN}"' not in lark
    assert '"functions.now" form' in lark
