import json
from typing import Any

import pytest
from pydantic import ValidationError

pytest.importorskip("transformers")

from bot.inference.server.errors import validation_error
from bot.inference.server.messages import chat_turns
from bot.inference.server.requests import ChatRequest

HELLO = [{"role": "user", "content": "Hello"}]


def parse(**fields: Any) -> ChatRequest:
    return ChatRequest.model_validate({"model": "tiny", "messages": HELLO} | fields)


def complaint(**fields: Any) -> str:
    with pytest.raises(ValidationError) as info:
        parse(**fields)
    return validation_error(info.value.errors()).message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"temperature": 2.5},
            "Invalid value for 'temperature': should be less than or equal to 2; found 2.5.",
        ),
        (
            {"top_p": 0},
            "Invalid value for 'top_p': should be greater than 0; found 0.",
        ),
        (
            {"temperature": "hot"},
            "Invalid value for 'temperature': should be a valid number; found a string.",
        ),
        (
            {"temperature": float("nan")},
            "Invalid value for 'temperature': should be a finite number; found NaN.",
        ),
        (
            {"max_tokens": 0},
            "Invalid value for 'max_tokens': should be greater than or equal to 1; found 0.",
        ),
        (
            {"messages": []},
            "Invalid value for 'messages': it should have at least 1 item, not 0; found a list.",
        ),
        (
            {"messages": [{"role": "function", "content": "x"}]},
            "Invalid value for 'messages[0].role': should be 'system', 'developer', 'user',"
            " 'assistant' or 'tool'; found a string.",
        ),
        (
            {"messages": [{"role": "tool", "content": "x"}]},
            "'messages[0].tool_call_id' is missing.",
        ),
        (
            {"messages": [{"role": "user"}]},
            "'messages[0].content' is missing.",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "Invalid value for 'messages[0].content': only text is understood: a string or a list"
            " of text parts; found a list.",
        ),
        (
            {"messages": [{"role": "user", "content": "\ud800"}]},
            "Invalid value for 'messages[0].content': has half a character (a lone surrogate);"
            " found a string.",
        ),
        (
            {"stop": list("abcde")},
            "Invalid value for 'stop': it should have at most 4 items, not 5; found a list.",
        ),
        ({"n": 2}, "Invalid value for 'n': should be less than or equal to 1; found 2."),
        ({"n": True}, "Invalid value for 'n': should be a valid integer; found true."),
        (
            {"reasoning_effort": "extreme"},
            "Invalid value for 'reasoning_effort': should be 'none', 'minimal', 'low', 'medium' or"
            " 'high'; found a string.",
        ),
    ],
)
def test_what_is_not_understood_is_named_with_what_is_allowed(
    fields: dict[str, Any], message: str
) -> None:
    assert complaint(**fields) == message


def test_a_refusal_never_quotes_text() -> None:
    assert "secret" not in complaint(messages=[{"role": "user", "content": {"secret": "secret"}}])
    assert "secret" not in complaint(user=["secret"])


NEUTRAL: dict[str, Any] = {
    "n": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0.0,
    "logit_bias": {},
    "logprobs": False,
    "top_logprobs": 0,
    "top_k": -1,
    "min_tokens": 0,
    "ignore_eos": False,
    "modalities": ["text"],
    "response_format": {"type": "text"},
    "functions": [],
    "audio": None,
}
CHANGING: dict[str, Any] = {
    "n": 2,
    "presence_penalty": 0.5,
    "frequency_penalty": -1,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 5,
    "top_k": 40,
    "min_tokens": 20,
    "ignore_eos": True,
    "modalities": ["text", "audio"],
    "functions": [{"name": "f"}],
    "audio": {"voice": "alder", "format": "wav"},
    "web_search_options": {},
    "guided_regex": "a+",
    "length_penalty": 1.2,
    "use_beam_search": True,
    "nobody_knows_this_one": 1,
}


def test_fields_that_change_nothing_are_taken() -> None:
    harmless = {"metadata": {"a": "b"}, "store": True, "service_tier": "auto", "user": "ann"}
    assert parse(**NEUTRAL, **harmless).model == "tiny"
    assert parse(**dict.fromkeys(NEUTRAL)).model == "tiny"


@pytest.mark.parametrize("name", CHANGING)
def test_a_field_that_would_change_the_answer_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(ValidationError) as info:
        parse(**{name: CHANGING[name]})
    error = validation_error(info.value.errors())
    assert error.status == 400
    assert (error.param or "").split("[")[0].split(".")[0] == name
    assert f"'{name}" in error.message


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning": {"effort": "high"}},
        {"chat_template_kwargs": {"reasoning_effort": "high"}},
        {"reasoning_effort": "high", "reasoning": {"effort": "high"}},
    ],
)
def test_the_effort_is_understood_under_each_of_its_names(fields: dict[str, Any]) -> None:
    assert parse(**fields).effort == "high"
    assert parse(chat_template_kwargs={"enable_thinking": False}).effort == "low"


def test_text_parts_are_joined_and_developer_is_the_system() -> None:
    parts = [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]
    request = parse(messages=[{"role": "developer", "content": parts}, *HELLO])
    assert chat_turns(request.messages) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
    ]


@pytest.mark.parametrize(
    ("sent", "effort"),
    [("none", "low"), ("minimal", "low"), ("low", "low"), ("high", "high"), (None, None)],
)
def test_the_least_efforts_are_low(sent: str | None, effort: str | None) -> None:
    assert parse(reasoning_effort=sent).effort == effort


def test_a_single_stop_string_is_a_list_of_one() -> None:
    assert parse(stop="END").stop == ["END"]
    assert parse(stop=None).stop is None


def test_the_schema_describes_every_form_that_is_understood() -> None:
    schema = json.dumps(ChatRequest.model_json_schema())
    assert '"const": "text"' in schema
    assert '"maxItems": 4' in schema
