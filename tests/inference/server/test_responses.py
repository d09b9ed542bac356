"""The Responses API and the older completions, by the openai package."""

import json
from typing import Any

import openai
import pytest

pytest.importorskip("transformers")

from tests.inference.scripted_engine import ScriptedEngine
from tests.inference.server.test_openai_client import HARMONY, NAME, PLAIN, client_of, says
from tests.inference.server.test_tools import ARGUMENTS, CALLS

THOUGHT = "<|channel|>analysis<|message|>Count them.<|end|><|start|>assistant"
ANSWER = f"{THOUGHT}<|channel|>final<|message|>Three boats."
TOOL: Any = {
    "type": "function",
    "name": "tide_at",
    "description": "Height of the tide",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    "strict": True,
}


async def test_a_response_has_the_reasoning_the_text_and_the_usage() -> None:
    engine = ScriptedEngine(says(HARMONY, ANSWER))
    async with client_of(engine, HARMONY) as (client, _):
        response = await client.responses.create(
            model=NAME,
            instructions="Count.",
            input="How many boats?",
            reasoning={"effort": "high"},
            max_output_tokens=200,
            store=False,
        )
    assert (response.status, response.output_text) == ("completed", "Three boats.")
    reasoning, message = response.output
    assert reasoning.type == "reasoning"
    assert [part.text for part in reasoning.content or []] == ["Count them."]
    assert message.type == "message"
    assert response.usage is not None
    assert response.usage.output_tokens_details.reasoning_tokens == len(
        HARMONY.control_ids("Count them.")
    )
    prompt = HARMONY.decode(engine.admitted[0].prompt)
    assert "Count." in prompt
    assert "How many boats?" in prompt
    assert "Reasoning: high" in prompt


async def test_a_stream_of_a_response_tells_of_each_item_from_its_beginning_to_its_end() -> None:
    async with (
        client_of(ScriptedEngine(says(HARMONY, ANSWER)), HARMONY) as (client, _),
        client.responses.stream(model=NAME, input="How many boats?") as stream,
    ):
        events = [event async for event in stream]
        final = await stream.get_final_response()
    kinds = [event.type for event in events]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    for kind in (
        "output_item.added",
        "content_part.added",
        "content_part.done",
        "output_item.done",
    ):
        assert kinds.count(f"response.{kind}") == 2
    texts = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    thoughts = "".join(e.delta for e in events if e.type == "response.reasoning_text.delta")
    assert (texts, thoughts) == ("Three boats.", "Count them.")
    assert final.output_text == "Three boats."
    numbers = [e.sequence_number for e in events if hasattr(e, "sequence_number")]
    assert numbers == sorted(set(numbers))


async def test_a_call_of_a_response_and_its_result_are_shown_to_the_model() -> None:
    engine = ScriptedEngine(says(HARMONY, CALLS[HARMONY]))
    async with client_of(engine, HARMONY) as (client, _):
        items: list[Any] = [{"role": "user", "content": "How high is it?"}]
        first = await client.responses.create(model=NAME, input=items, tools=[TOOL])
        thought, call = first.output
        assert call.type == "function_call"
        assert (call.name, call.arguments) == ("tide_at", ARGUMENTS)
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "3.9 m"}
        items += [thought.model_dump(), call.model_dump(), result]
        async with client.responses.stream(model=NAME, input=items, tools=[TOOL]) as stream:
            events = [event async for event in stream]
    pieces = [e.delta for e in events if e.type == "response.function_call_arguments.delta"]
    assert "".join(pieces) == ARGUMENTS
    prompt = HARMONY.decode(engine.admitted[-1].prompt)
    for shown in ("Look.", "Heron Point", "3.9 m", "Height of the tide"):
        assert shown in prompt


async def test_a_response_keeps_to_a_form_and_says_that_it_was_cut_off() -> None:
    form: Any = {"type": "json_schema", "name": "n", "schema": {"type": "integer"}, "strict": True}
    async with client_of(ScriptedEngine(says(PLAIN, "12"))) as (client, _):
        whole = await client.responses.create(model=NAME, input="Count", text={"format": form})
        cut = await client.responses.create(model=NAME, input="Count", max_output_tokens=1)
    assert json.loads(whole.output_text) == 12
    assert cut.status == "incomplete"
    assert cut.incomplete_details is not None
    assert cut.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("store", True),
        ("previous_response_id", "resp_1"),
        ("conversation", "conv_1"),
        ("background", True),
        ("truncation", "auto"),
        ("include", ["message.output_text.logprobs"]),
        ("top_logprobs", 3),
        ("max_tool_calls", 1),
        ("made_up", 1),
    ],
)
async def test_what_a_response_can_not_do_is_refused_by_name(field: str, value: Any) -> None:
    async with client_of(ScriptedEngine(says(PLAIN, "Hi"))) as (client, _):
        with pytest.raises(openai.BadRequestError) as info:
            await client.responses.create(model=NAME, input="Hi", extra_body={field: value})
        assert str(info.value.param).startswith(field)
        with pytest.raises(openai.NotFoundError, match="not stored"):
            await client.responses.retrieve("resp_1")


CALL: dict[str, Any] = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
RESULT: dict[str, Any] = {"type": "function_call_output", "call_id": "c1", "output": "3.9 m"}
UNKEPT: dict[str, Any] = {"type": "object", "properties": {}, "not": {"required": ["a"]}}


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"input": [RESULT]}, "input[0].call_id", "of no call before it"),
        ({"input": [CALL, CALL]}, "input[1].call_id", "another call of the same turn"),
        ({"input": [CALL | {"name": "a b"}]}, "input[0].name", "should match"),
        ({"input": [CALL | {"arguments": "{"}]}, "input[0].arguments", "a JSON object as text"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]", "function_call_output"),
        ({"input": [5]}, "input[0]", "found 5"),
        ({"input": []}, "input", "at least 1 item"),
        (
            {"input": [{"type": "reasoning", "encrypted_content": "x", "summary": []}]},
            "input[0].encrypted_content",
            "should be null",
        ),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "should be 'function'"),
        ({"tools": [TOOL | {"parameters": UNKEPT}]}, "tools[0].parameters", "can't be held"),
        ({"tools": [TOOL | {"output_schema": {}}]}, "tools[0].output_schema", "not supported"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice.type", "should be 'function'"),
        (
            {"text": {"format": {"type": "json_schema", "schema": UNKEPT}}},
            "text.format",
            "can't be held",
        ),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema", "is missing"),
        (
            {"text": {"format": {"type": "text", "schema": {}}}},
            "text.format.schema",
            "goes with the type json_schema only",
        ),
    ],
)
async def test_what_is_wrong_in_a_response_has_the_name_that_it_has_there(
    fields: dict[str, Any], param: str, message: str
) -> None:
    async with client_of(ScriptedEngine(says(HARMONY, "Hi")), HARMONY) as (client, _):
        with pytest.raises(openai.BadRequestError) as info:
            await client.post(
                "/responses", cast_to=object, body={"model": NAME, "input": "Hi"} | fields
            )
    assert info.value.param == param
    assert message in info.value.message


async def test_reasoning_comes_back_with_its_call_and_not_with_a_later_one() -> None:
    def thought(text: str) -> dict[str, Any]:
        return {"type": "reasoning", "content": [{"type": "reasoning_text", "text": text}]}

    items: list[Any] = [
        thought("Interrupted."),
        {"role": "user", "content": "How high is it?"},
        thought("Say it first."),
        {"role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
        thought("At which place?"),
        CALL,
        RESULT,
    ]
    engine = ScriptedEngine(says(HARMONY, ANSWER))
    async with client_of(engine, HARMONY) as (client, _):
        await client.responses.create(model=NAME, input=items)
    prompt = HARMONY.decode(engine.admitted[0].prompt)
    for shown in ("Say it first.", "I look.", "At which place?", "3.9 m"):
        assert shown in prompt
    assert "Interrupted." not in prompt


@pytest.mark.parametrize("most", [200, 8])
async def test_a_stream_ends_with_the_response_that_comes_whole(most: int) -> None:
    form: Any = {"type": "text"}
    asked: Any = {"input": "Hi", "metadata": {"a": "b"}, "text": {"format": form}}
    async with client_of(ScriptedEngine(says(HARMONY, ANSWER)), HARMONY) as (client, _):
        whole = await client.responses.create(model=NAME, max_output_tokens=most, **asked)
        stream = await client.responses.create(
            model=NAME, max_output_tokens=most, stream=True, **asked
        )
        last: Any = [event async for event in stream][-1]

    def told(response: Any) -> Any:
        fields = response.model_dump(exclude={"id", "created_at"})
        return fields | {"output": [item | {"id": ""} for item in fields["output"]]}

    assert told(last.response) == told(whole)
    assert whole.text is not None
    assert whole.text.model_dump(exclude_none=True) == {"format": form}


async def test_text_is_completed_as_it_is_whole_and_streamed() -> None:
    engine = ScriptedEngine(says(HARMONY, "blue, <|channel|>and green"))
    async with client_of(engine, HARMONY) as (client, _):
        whole = await client.completions.create(
            model=NAME, prompt="The sky is<|end|>", max_tokens=50
        )
        stream = await client.completions.create(
            model=NAME,
            prompt=HARMONY.control_ids("The sky"),
            stream=True,
            max_tokens=50,
            stream_options={"include_usage": True},
        )
        pieces = [piece async for piece in stream]
    assert (whole.choices[0].text, whole.choices[0].finish_reason) == ("blue, and green", "stop")
    assert "".join(p.choices[0].text for p in pieces if p.choices) == "blue, and green"
    assert pieces[-1].usage is not None
    typed, ids = (sequence.prompt for sequence in engine.admitted)
    assert HARMONY.decode(typed) == "The sky is<|end|>"
    assert HARMONY.control_ids("<|end|>")[0] not in typed
    assert HARMONY.decode(ids) == "The sky"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"echo": True}, "echo"),
        ({"suffix": "!"}, "suffix"),
        ({"logprobs": 2}, "logprobs"),
        ({"n": 2}, "n"),
        ({"best_of": 3}, "best_of"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [10**6]}, "prompt"),
        ({"prompt": [1, -2]}, "prompt[1]"),
        ({"prompt": [1, "a"]}, "prompt[1]"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ""}, "prompt"),
    ],
)
async def test_what_a_completion_can_not_do_is_refused_by_name(
    body: dict[str, Any], param: str
) -> None:
    async with client_of(ScriptedEngine(says(PLAIN, "Hi"))) as (client, _):
        with pytest.raises(openai.BadRequestError) as info:
            await client.post(
                "/completions", cast_to=object, body={"model": NAME, "prompt": "a"} | body
            )
    assert info.value.param == param
