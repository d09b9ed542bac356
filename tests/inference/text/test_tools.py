"""Tools in prompts and in what models write."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("transformers")

from transformers import PreTrainedTokenizerFast

from bot.inference.engines.base import Sequence
from bot.inference.text.delta import CallDelta, Delta
from bot.inference.text.generation import CallPolicy, Generation
from bot.inference.text.prompt import ChatFormat, ToolStyle
from bot.inference.text.turns import PromptError, Turn, TurnCall
from tests.inference.tokenizers_fixture import (
    GPT_OSS,
    QWEN3_TOOLS_TEMPLATE,
    SMOLLM2_TEMPLATE,
    chatml_tokenizer,
    gpt_oss_tokenizer,
    harmony_tokenizer,
)

Tokenizers = dict[str, Callable[[], PreTrainedTokenizerFast]]
HARMONIES: Tokenizers = {"harmony": harmony_tokenizer, "gpt-oss": gpt_oss_tokenizer}
TAGGED: Tokenizers = {"qwen3": lambda: chatml_tokenizer(QWEN3_TOOLS_TEMPLATE)}
HERE = [name for name in HARMONIES | TAGGED if name != "gpt-oss" or GPT_OSS.is_dir()]

HARMONY = ChatFormat(harmony_tokenizer())
QWEN3 = ChatFormat(TAGGED["qwen3"]())
CALLING = CallPolicy(frozenset(["tide_at", "now"]))
TIDE: dict[str, Any] = {
    "name": "tide_at",
    "description": "Height of the tide",
    "parameters": {
        "type": "object",
        "properties": {"place": {"type": "string"}, "hour": {"type": "integer"}},
        "required": ["place"],
    },
}


def asked(text: str = "How high is it at six?") -> Turn:
    return Turn(role="user", content=text)


def called(*places: str, reasoning: str = "", content: str = "") -> Turn:
    calls = [
        TurnCall(id=f"call_{place}", name="tide_at", arguments={"place": place, "hour": 6})
        for place in places
    ]
    return Turn(role="assistant", content=content, reasoning=reasoning, calls=calls)


def result(place: str, text: str) -> Turn:
    return Turn(role="tool", content=text, call_id=f"call_{place}")


def by_transformers(
    tokenizer: PreTrainedTokenizerFast, messages: list[dict[str, Any]]
) -> list[int]:
    tools = [{"type": "function", "function": TIDE}]
    rendered = tokenizer.apply_chat_template(messages, tools=tools, add_generation_prompt=True)
    return list(rendered["input_ids"])


def template_call(place: str) -> dict[str, Any]:
    function = {"name": "tide_at", "arguments": {"place": place, "hour": 6}}
    return {"id": "call", "type": "function", "function": function}


@pytest.mark.parametrize("name", HARMONIES)
def test_calls_and_results_give_the_ids_of_gpt_oss_template(name: str) -> None:
    tokenizer = HARMONIES[name]()
    turns = [
        asked(),
        called("Heron Point", "Crane Bay", reasoning="I need the table."),
        result("Crane Bay", "4.1 \u00b5"),
        result("Heron Point", '{"metres": 3.9}'),
    ]
    first, second = (
        {"role": "assistant", "content": "", "tool_calls": [template_call(place)]}
        for place in ("Heron Point", "Crane Bay")
    )
    expected = by_transformers(
        tokenizer,
        [
            {"role": "user", "content": "How high is it at six?"},
            first | {"thinking": "I need the table."},
            {"role": "tool", "content": '{"metres": 3.9}'},
            second,
            {"role": "tool", "content": "4.1 \u00b5"},
        ],
    )
    assert ChatFormat(tokenizer).render(turns, tools=[TIDE]) == expected


@pytest.mark.parametrize("name", TAGGED)
def test_calls_and_results_give_the_ids_of_other_templates(name: str) -> None:
    tokenizer = TAGGED[name]()
    turns = [asked(), called("Heron Point", "Crane Bay"), result("Heron Point", "3.9")]
    calls = [template_call("Heron Point"), template_call("Crane Bay")]
    expected = by_transformers(
        tokenizer,
        [
            {"role": "user", "content": "How high is it at six?"},
            {"role": "assistant", "content": "", "tool_calls": calls},
            {"role": "tool", "content": "3.9"},
        ],
    )
    assert ChatFormat(tokenizer).render(turns, tools=[TIDE]) == expected


CONTROLS = [token.content for token in harmony_tokenizer().added_tokens_decoder.values()]
CONTROLS += [token.content for token in TAGGED["qwen3"]().added_tokens_decoder.values()]
hostile = (
    st.lists(
        st.sampled_from([*CONTROLS, "xTYPED1TEXTx", 'xTYPED0TEXT"x', '"', "\\", "\n", "a "])
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
        min_size=1,
        max_size=8,
    )
    .map("".join)
    .filter(bool)
)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", HERE)
def test_nothing_of_a_tool_becomes_a_control_token(name: str) -> None:
    tokenizer = (HARMONIES | TAGGED)[name]()
    chat_format = ChatFormat(tokenizer)

    def prompt(text: str) -> list[int]:
        properties = {text: {"type": "string", "enum": [text], "description": text}}
        tool = {"name": "f", "description": text, "parameters": {"properties": properties}}
        call = TurnCall(id="c", name="f", arguments={text: [text, {"b": text}]})
        turns = [
            asked(),
            Turn(role="assistant", content=text, reasoning=text, calls=[call]),
            Turn(role="tool", content=text, call_id="c"),
        ]
        return chat_format.render(turns, tools=[tool])

    def controls(ids: list[int]) -> list[int]:
        return [token for token in ids if token in tokenizer.added_tokens_decoder]

    harmless = controls(prompt("a"))

    @given(hostile)
    def check(text: str) -> None:
        assert controls(prompt(text)) == harmless

    check()


@given(hostile)
def test_a_result_is_shown_whole_as_the_template_encodes_it(text: str) -> None:
    prompt = HARMONY.render([asked(), called("Bay"), result("Bay", text)], tools=[TIDE])
    assert json.dumps(text, ensure_ascii=False) in HARMONY.decode(prompt)


def test_reasoning_stays_between_calls_and_goes_once_there_is_an_answer() -> None:
    turns = [asked(), called("Bay", reasoning="I need the table."), result("Bay", "3.9")]
    assert "I need the table." in HARMONY.decode(HARMONY.render(turns))
    turns += [Turn(role="assistant", content="3.9 metres."), asked("And at seven?")]
    prompt = HARMONY.decode(HARMONY.render(turns))
    assert "I need the table." not in prompt
    assert "3.9 metres." in prompt


def test_a_result_of_no_call_is_refused() -> None:
    with pytest.raises(PromptError, match="message 2 is a result of no call"):
        HARMONY.render([asked(), result("Bay", "3.9")])


def test_a_template_tells_whether_and_how_its_model_calls_tools() -> None:
    assert HARMONY.tools is ToolStyle.HARMONY
    assert QWEN3.tools is ToolStyle.TAGS
    assert ChatFormat(chatml_tokenizer(SMOLLM2_TEMPLATE)).tools is None


def generate(
    chat_format: ChatFormat, text: str, calling: CallPolicy = CALLING
) -> tuple[Delta, str | None]:
    """What comes of `text`, control tokens in it included, and why it ended."""
    sequence = Sequence(chat_format.render([asked()]))
    generation = Generation(
        chat_format, sequence, max_tokens=1000, reasoning_budget=500, calling=calling
    )
    shown = Delta()
    for token in [*sequence.forced, *chat_format.control_ids(text)]:
        if generation.finish_reason is None:
            shown += generation.push(token)
    shown += generation.finish()
    return shown, generation.finish_reason


ARGUMENTS = '{"place": "Heron Point"}'
CALL = CallDelta(0, "tide_at", ARGUMENTS)


@pytest.mark.parametrize(
    "header",
    [
        "<|channel|>commentary to=functions.tide_at <|constrain|>json",
        "<|channel|>commentary to=functions.tide_at<|constrain|>json",
        "<|channel|>commentary to=functions.tide_at json",
        "<|channel|>commentary to=functions.tide_at",
        " to=functions.tide_at<|channel|>commentary <|constrain|>json",
        "<|channel|>analysis to=functions.tide_at code",
        "<|channel|>final to=functions.tide_at",
        "<|channel|>commentary to=tide_at code",
        "<|channel|>comment to=functions.tide_at",
        " to=functions.tide_at",
    ],
)
def test_the_recipient_makes_a_call_whatever_the_rest_of_the_header(header: str) -> None:
    thought = "<|channel|>analysis<|message|>Look.<|end|><|start|>assistant"
    for before, reasoning in (("", ""), (thought, "Look.")):
        text = f"{before}{header}<|message|>{ARGUMENTS}<|call|>"
        assert generate(HARMONY, text) == (Delta(reasoning, calls=(CALL,)), "tool_calls")


def test_what_the_model_says_before_its_call_is_shown() -> None:
    shown, reason = generate(
        HARMONY,
        "<|channel|>commentary<|message|>I look it up.<|end|><|start|>assistant"
        f"<|channel|>commentary to=functions.tide_at json<|message|>{ARGUMENTS}<|call|>",
    )
    assert (shown, reason) == (Delta(content="I look it up.", calls=(CALL,)), "tool_calls")


@pytest.mark.parametrize("name", ["tide_in", "browser.search", "python"])
def test_a_call_of_what_was_not_offered_is_none(name: str) -> None:
    text = f"<|channel|>commentary to={name}<|message|>{ARGUMENTS}<|end|>"
    shown, _ = generate(HARMONY, f"{text}<|start|>assistant<|channel|>final<|message|>Hi<|end|>")
    assert (shown.calls, shown.content) == ((), "Hi")


def test_calls_between_tags_are_taken_out_of_the_answer() -> None:
    written = f'<tool_call>\n{{"name": "tide_at", "arguments": {ARGUMENTS}}}\n</tool_call>'
    again = '<tool_call>{"arguments": {}, "name": "now"}</tool_call>'
    shown, reason = generate(QWEN3, f"I look.\n{written}\n{again}<|im_end|>")
    assert shown.calls == (CALL, CallDelta(1, "now", "{}"))
    assert (shown.content.strip(), reason) == ("I look.", "tool_calls")
    one = CallPolicy(CALLING.functions, parallel=False)
    assert generate(QWEN3, f"{written}\n{again}<|im_end|>", one)[0].calls == (CALL,)


@pytest.mark.parametrize(
    "written",
    [
        "<tool_call>{not json}</tool_call>",
        '<tool_call>{"name": "tide_in", "arguments": {}}</tool_call>',
        '<tool_call>{"name": "now", "arguments": []}</tool_call>',
        '<tool_call>["now"]</tool_call>',
        "<tool_call>",
    ],
)
def test_what_is_no_call_between_tags_stays_text(written: str) -> None:
    assert generate(QWEN3, f"{written} Hm.<|im_end|>") == (Delta(content=f"{written} Hm."), "stop")


def test_an_id_that_is_used_again_belongs_to_the_call_before_its_result() -> None:
    turns = [asked(), called("Bay"), result("Bay", "FIRST"), asked("And now?")]
    turns += [called("Bay"), result("Bay", "SECOND")]
    prompt = HARMONY.decode(HARMONY.render(turns))
    assert prompt.count("FIRST") == prompt.count("SECOND") == 1
    assert prompt.index("FIRST") < prompt.index("And now?") < prompt.index("SECOND")
