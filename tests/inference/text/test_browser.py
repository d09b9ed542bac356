"""gpt-oss's own browser, in the form that it was trained on."""

from typing import Any

import pytest
from hypothesis import given

pytest.importorskip("transformers")

from bot.inference.text.delta import CallDelta, Delta
from bot.inference.text.generation import CallPolicy
from bot.inference.text.prompt import ChatFormat
from bot.inference.text.turns import Turn, TurnCall
from bot.tools.outbound import Outbound
from bot.tools.web.browser import Browser
from bot.tools.web.engines import SearchResult
from tests.inference.text.test_tools import HARMONIES, HERE, QWEN3, TIDE, asked, generate, hostile


def tool(name: str, *parameters: str) -> dict[str, Any]:
    properties = {parameter: {"type": "string"} for parameter in parameters}
    return {
        "name": f"browser.{name}",
        "description": f"To {name}.",
        "parameters": {"type": "object", "properties": properties},
    }


SEARCH = tool("search", "query", "topn", "source")
OPEN = tool("open", "id", "cursor", "loc", "num_lines", "view_source", "source")
FIND = tool("find", "pattern", "cursor")
BROWSER = [SEARCH, OPEN, FIND]
NAMES = frozenset(one["name"] for one in BROWSER)
harmonies = pytest.mark.parametrize("name", [name for name in HARMONIES if name in HERE])


def searched(text: str) -> list[Turn]:
    call = TurnCall(id="c", name="browser.search", arguments={"query": "tides"})
    return [
        asked(),
        Turn(role="assistant", content="", reasoning="Look.", calls=[call]),
        Turn(role="tool", content=text, call_id="c"),
    ]


@harmonies
def test_the_browser_stands_in_the_system_message_and_nothing_else_does(name: str) -> None:
    chat_format = ChatFormat(HARMONIES[name]())
    prompt = chat_format.decode(chat_format.render([asked()], tools=[*BROWSER, TIDE]))
    system, rest = prompt.split("<|end|>", 1)
    assert "## browser" in system
    assert "browser" not in rest
    assert "type tide_at" in rest
    assert "To search." not in prompt


@harmonies
def test_a_call_of_the_browser_and_its_result_stand_in_its_own_form(name: str) -> None:
    chat_format = ChatFormat(HARMONIES[name]())
    shown = '[0] Tides\n"quoted" 【0†Sea†a.example】 \n'
    prompt = chat_format.decode(chat_format.render(searched(shown), tools=BROWSER))
    assert prompt.endswith(
        "<|start|>assistant<|channel|>analysis<|message|>Look.<|end|>"
        "<|start|>assistant<|channel|>analysis to=browser.search code<|message|>"
        '{"query": "tides"}<|call|>'
        f"<|start|>browser.search to=assistant<|channel|>analysis<|message|>{shown}<|end|>"
        "<|start|>assistant"
    )


@pytest.mark.parametrize(
    "tools",
    [
        [SEARCH, FIND],
        [SEARCH, OPEN, tool("find", "text")],
        [SEARCH, OPEN, FIND | {"parameters": None}],
        [SEARCH, OPEN, FIND | {"parameters": {"properties": ["pattern", "cursor"]}}],
    ],
    ids=["not whole", "others", "none", "no schema"],
)
def test_other_tools_of_these_names_are_functions(tools: list[dict[str, Any]]) -> None:
    chat_format = ChatFormat(HARMONIES["harmony"]())
    assert chat_format.own_tools(tools) == frozenset()
    assert chat_format.own_tools(BROWSER) == NAMES
    assert QWEN3.own_tools(BROWSER) == frozenset()


async def _nothing(query: str, count: int) -> list[SearchResult]:
    return []


def test_the_bots_browser_is_the_one_that_gpt_oss_knows() -> None:
    browser = Browser(Outbound(lambda host, count: None), _nothing, fetch=True)
    definitions = [one.definition["function"] for one in browser.tools()]
    assert ChatFormat(HARMONIES["harmony"]()).own_tools(definitions) == NAMES


@given(hostile)
def test_no_result_of_the_browser_becomes_a_control_token_or_is_changed(text: str) -> None:
    chat_format = ChatFormat(HARMONIES["harmony"]())
    prompt = chat_format.render(searched(text), tools=BROWSER)
    added = HARMONIES["harmony"]().added_tokens_decoder
    harmless = chat_format.render(searched("a"), tools=BROWSER)
    controls, expected = ([i for i in ids if i in added] for ids in (prompt, harmless))
    assert controls == expected
    assert f"analysis<|message|>{text}<|end|>" in chat_format.decode(prompt)


@pytest.mark.parametrize(
    "header", ["analysis to=browser.search code", "commentary to=browser.open"]
)
def test_the_browser_is_called_on_either_channel(header: str) -> None:
    chat_format = ChatFormat(HARMONIES["harmony"]())
    text = f'<|channel|>{header}<|message|>{{"query":"x"}}<|call|>'
    called = header.split("to=")[1].split()[0]
    shown, reason = generate(chat_format, text, CallPolicy(NAMES))
    assert (shown, reason) == (Delta(calls=(CallDelta(0, called, '{"query":"x"}'),)), "tool_calls")
