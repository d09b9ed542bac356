"""Tools over HTTP, by the openai package."""

import json
from typing import Any

import openai
import pytest

pytest.importorskip("transformers")

from bot.inference.engines.base import Sequence
from bot.inference.text.prompt import ChatFormat
from tests.inference.scripted_engine import ScriptedEngine
from tests.inference.server.test_openai_client import HARMONY, NAME, PLAIN, client_of, says
from tests.inference.tokenizers_fixture import QWEN3_TOOLS_TEMPLATE, chatml_tokenizer

QWEN3 = ChatFormat(chatml_tokenizer(QWEN3_TOOLS_TEMPLATE))
ARGUMENTS = '{"place":"Heron Point"}'
CALLS = {
    HARMONY: f"<|channel|>analysis<|message|>Look.<|end|><|start|>assistant<|channel|>commentary"
    f" to=functions.tide_at <|constrain|>json<|message|>{ARGUMENTS}",
    QWEN3: f'<tool_call>{{"name": "tide_at", "arguments": {ARGUMENTS}}}</tool_call>',
}
formats = pytest.mark.parametrize("chat_format", CALLS, ids=["harmony", "qwen3"])
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "tide_at",
            "description": "Height of the tide",
            "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
        },
    }
]
ODD: Any = {"parameters": {"type": "object", "properties": {}, "not": {"required": ["a"]}}}
NOW: Any = {"type": "function", "function": {"name": "now"}}
HALF: Any = {"parameters": {"type": "object", "properties": {"\udc00": {}}}}
RESULT = {"role": "tool", "tool_call_id": "a", "content": "3.9"}


def called(id: str, arguments: str, *, twice: bool = False) -> dict[str, Any]:
    """A message with a call, or with two of the same id."""
    call = {"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call] * (1 + twice)}


ASKED: list[Any] = [{"role": "user", "content": "How high is it at Heron Point at six?"}]


@formats
async def test_a_call_comes_with_its_arguments_and_no_content(chat_format: ChatFormat) -> None:
    engine = ScriptedEngine(says(chat_format, CALLS[chat_format]))
    async with client_of(engine, chat_format) as (client, _):
        completion = await client.chat.completions.create(model=NAME, messages=ASKED, tools=TOOLS)
    (choice,) = completion.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    (call,) = choice.message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("tide_at", ARGUMENTS)


@formats
async def test_a_streamed_call_begins_with_its_name_and_goes_on_with_arguments(
    chat_format: ChatFormat,
) -> None:
    engine = ScriptedEngine(says(chat_format, CALLS[chat_format]))
    async with (
        client_of(engine, chat_format) as (client, _),
        client.chat.completions.stream(model=NAME, messages=ASKED, tools=TOOLS) as stream,
    ):
        pieces = [
            piece
            async for event in stream
            if event.type == "chunk" and event.chunk.choices
            for piece in event.chunk.choices[0].delta.tool_calls or []
        ]
        completion = await stream.get_final_completion()
    assert pieces[0].id
    assert pieces[0].function
    assert pieces[0].function.name == "tide_at"
    assert {piece.id for piece in pieces[1:]} <= {None}
    (call,) = completion.choices[0].message.tool_calls or []
    assert (call.id, call.function.arguments) == (pieces[0].id, ARGUMENTS)
    assert completion.choices[0].finish_reason == "tool_calls"


@formats
async def test_a_call_and_its_result_sent_back_are_shown_to_the_model(
    chat_format: ChatFormat,
) -> None:
    engine = ScriptedEngine(says(chat_format, CALLS[chat_format]))
    async with client_of(engine, chat_format) as (client, _):
        first = await client.chat.completions.create(model=NAME, messages=ASKED, tools=TOOLS)
        message: Any = first.choices[0].message
        back: list[Any] = [
            *ASKED,
            message.model_dump(),
            {
                "role": "tool",
                "tool_call_id": message.tool_calls[0].id,
                "content": '{"metres": 3.9}',
            },
            {"role": "user", "content": "So can we float off?"},
        ]
        await client.chat.completions.create(model=NAME, messages=back, tools=TOOLS)
    prompt = chat_format.decode(engine.admitted[-1].prompt)
    for shown in ("tide_at", "Height of the tide", "Heron Point", "3.9", "float off"):
        assert shown in prompt


@formats
async def test_a_tool_that_must_be_called_is_called_and_with_none_none_is_offered(
    chat_format: ChatFormat,
) -> None:
    def answer(sequence: Sequence) -> list[int]:
        offered = "tide_at" in chat_format.decode(sequence.prompt)
        return says(chat_format, CALLS[chat_format] if offered else "Hi")(sequence)

    engine = ScriptedEngine(answer)
    named: Any = {"type": "function", "function": {"name": "tide_at"}}
    async with client_of(engine, chat_format) as (client, _):
        for choice in (named, "required"):
            completion = await client.chat.completions.create(
                model=NAME, messages=ASKED, tools=[*TOOLS, NOW], tool_choice=choice
            )
            (call,) = completion.choices[0].message.tool_calls or []
            assert call.function.arguments == ARGUMENTS
        await client.chat.completions.create(
            model=NAME, messages=ASKED, tools=TOOLS, tool_choice="none"
        )
    assert "tide_at" not in chat_format.decode(engine.admitted[-1].prompt)


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({"tool_choice": "required"}, "tool_choice", "there are no tools"),
        ({"tool_choice": "any", "tools": TOOLS}, "tool_choice", "should be 'none'"),
        ({"tools": [NOW, NOW]}, "tools", "two functions have the name 'now'"),
        (
            {
                "tools": TOOLS,
                "tool_choice": {"type": "function", "function": {"name": "tide_in"}},
            },
            "tool_choice",
            "names none of the tools",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "<|end|>"}}]},
            "tools[0].function.name",
            "Invalid value",
        ),
        (
            {"tools": [NOW, {"type": "function", "function": {"name": "f", "strict": True} | ODD}]},
            "tools[1].function.parameters",
            "arguments can't be held to this schema",
        ),
        (
            {"messages": [*ASKED, {"role": "tool", "tool_call_id": "x", "content": "3.9"}]},
            "messages",
            "message 2 is a result of no call",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "returns": {}}}]},
            "tools[0].function.returns",
            "not supported here",
        ),
        ({"tools": [{**NOW, "strict": True}]}, "tools[0].strict", "not supported here"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "description": "\ud800"}}]},
            "tools[0].function.description",
            "half a character",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", **HALF}}]},
            "tools[0].function.parameters",
            "half a character",
        ),
        (
            {"messages": [*ASKED, called("a", '{"x": "\\ud800"}'), RESULT]},
            "messages[1].tool_calls[0].function.arguments",
            "a JSON object as text",
        ),
        (
            {"messages": [*ASKED, called("a", "{}", twice=True), RESULT]},
            "messages",
            "message 2 has two calls with the same id",
        ),
        (
            {"messages": [*ASKED, called("a", "{}") | {"function_call": {"name": "f"}}]},
            "messages[1].function_call",
            "should be null",
        ),
        (
            {"messages": [*ASKED, {"role": "assistant", "content": "It", "prefix": True}]},
            "messages[1].prefix",
            "should be false",
        ),
        (
            {"messages": [*ASKED, {"role": "assistant", "content": None}]},
            "messages[1].content",
            "is missing",
        ),
    ],
)
async def test_what_can_not_be_called_is_refused_by_name(
    body: dict[str, Any], param: str, message: str
) -> None:
    async with client_of(ScriptedEngine(says(HARMONY, "Hi")), HARMONY) as (client, _):
        body = {"model": NAME, "messages": ASKED} | body
        written = json.dumps(body).encode()  # the package itself can't write halves
        headers = {"Content-Type": "application/json"}
        with pytest.raises(openai.BadRequestError) as info:
            await client.post(
                "/chat/completions", cast_to=object, content=written, options={"headers": headers}
            )
    assert info.value.param == param
    assert message in info.value.message


async def test_a_model_whose_template_has_no_tools_refuses_them() -> None:
    turns: list[Any] = [
        *ASKED,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "tide_at", "arguments": "{}"},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "3.9"},
    ]
    async with client_of(ScriptedEngine(says(PLAIN, "Hi"))) as (client, _):
        for body in ({"messages": ASKED, "tools": TOOLS}, {"messages": turns}):
            with pytest.raises(openai.BadRequestError, match="can't call tools") as info:
                await client.chat.completions.create(model=NAME, **body)
            assert info.value.param == "tools"
