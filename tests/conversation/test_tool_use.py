"""What of a model's calls is sent back to it, and what of an answer's tokens is left for more."""

from collections.abc import Sequence
from typing import Any

import pytest

from bot.client import ToolCall
from bot.config import Config, Effort
from bot.conversation.reply import Reply
from bot.conversation.tool_use import LEFT_OUT, ToolUse, tokens_of, without_dots
from bot.tools import Session, Tool, ToolResult
from bot.tools.definition import Arguments

OLDER, NEWER = "a" * 3000, "b" * 3000


async def with_calls(calls: Sequence[ToolCall], results: Sequence[str]) -> ToolUse:
    """One request a call, each of which gives the next result."""
    coming = iter(results)

    async def run(arguments: Arguments) -> ToolResult:
        return ToolResult(next(coming))

    session = Session([Tool("read", "Reads.", {"type": "object"}, run)], Config().tools)
    reply = Reply(asker="1", effort=Effort.LOW, show_reasoning=False)
    tool_use = ToolUse(session, reply, 10)
    for call in calls:
        await tool_use.make("", "", [call])
    return tool_use


def results_in(turns: Sequence[dict[str, Any]]) -> list[str]:
    return [turn["content"] for turn in turns if turn["role"] == "tool"]


async def test_of_what_has_no_room_the_oldest_result_goes_first_and_the_newest_is_cut() -> None:
    tool_use = await with_calls([ToolCall("c", "read", "{}")] * 2, [OLDER, NEWER])
    whole = tokens_of(tool_use.turns(100_000))
    assert results_in(tool_use.turns(whole)) == [OLDER, NEWER]
    assert results_in(tool_use.turns(whole - 1)) == [LEFT_OUT, NEWER]
    assert results_in(tool_use.turns(whole - 1000)) == [LEFT_OUT, NEWER]
    older, newer = results_in(tool_use.turns(whole - 1100))
    assert (older, newer) == (LEFT_OUT, "b" * 2700 + LEFT_OUT)
    nothing = tool_use.turns(0)
    assert results_in(nothing) == [LEFT_OUT, LEFT_OUT]
    assert [turn["content"] for turn in nothing if turn["role"] == "assistant"] == [None, None]
    assert results_in(tool_use.turns(whole)) == [OLDER, NEWER]


@pytest.mark.parametrize(
    ("name", "arguments", "sent_name", "sent_arguments"),
    [
        ("read", '{"q": "Möwe"}', "read", '{"q": "Möwe"}'),
        ("browser.find", "", "browser.find", "{}"),
        ("Wetter für morgen?", '{"day": ', "Wetter_f_r_morgen_", "{}"),
        ("", "[1]", "unknown", "{}"),
        ("x" * 70, "{}", "x" * 64, "{}"),
    ],
)
async def test_a_call_is_sent_back_as_every_server_takes_it(
    name: str, arguments: str, sent_name: str, sent_arguments: str
) -> None:
    tool_use = await with_calls([ToolCall("c", name, arguments)], [""])
    call, result = tool_use.turns(100_000)
    function = {"name": sent_name, "arguments": sent_arguments}
    sent = {"id": "c", "type": "function", "function": function}
    assert call == {"role": "assistant", "content": None, "tool_calls": [sent]}
    assert result["tool_call_id"] == "c"


@pytest.mark.parametrize(
    ("used", "offered", "tokens"), [(0, True, 1002), (752, True, 250), (753, False, 250)]
)
async def test_a_quarter_of_an_answers_tokens_is_kept_for_a_last_request_without_tools(
    used: int, offered: bool, tokens: int
) -> None:
    tool_use = await with_calls([], [])
    assert tool_use.used == 0
    tool_use.used = used
    assert (bool(tool_use.offered(1002)), tool_use.tokens(1002)) == (offered, tokens)


def test_tokens_are_estimated_by_bytes() -> None:
    assert tokens_of(["a" * 26]) == 10
    assert tokens_of(["ä" * 13]) == 10


def test_names_without_dots_leave_the_rest_as_it_was() -> None:
    function = {"name": "browser.search", "description": "Searches. The web."}
    tool = {"type": "function", "function": function}
    assert without_dots([tool]) == [
        {"type": "function", "function": function | {"name": "browser_search"}}
    ]
    assert function["name"] == "browser.search"
