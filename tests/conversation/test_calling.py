"""What a model calls while it answers."""

import asyncio
from typing import Any

import pytest

from bot.config import Config, ToolsConfig, builtin_texts
from bot.conversation.reply import Reply, ReplyState, StepState
from bot.tools import Session, Tool, Toolbox, ToolContext, ToolResult
from bot.tools.definition import Arguments
from tests.conversation.conftest import MODERATOR, Chat, finished
from tests.doubles.inference import Call, Drop, Error, Fail, Say


def offered(request: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in request.get("tools", [])]


def results(request: dict[str, Any]) -> list[str]:
    return [m["content"] for m in request["messages"] if m["role"] == "tool"]


async def test_a_call_is_made_and_its_result_goes_back_with_the_reasoning(chat: Chat) -> None:
    chat.inference.script(
        Say(reasoning="I should calculate."),
        Say("Let me see."),
        Call("calculator", {"expression": "6*7"}, id="c1"),
    )
    chat.inference.script(Say("It is 42."))
    reply = await chat.answer("What is 6*7?")
    assert reply.state is ReplyState.DONE
    assert reply.text == "Let me see.\n\nIt is 42."
    assert [(s.tool, s.about, s.state, s.output) for s in reply.steps] == [
        ("calculator", "6*7", StepState.DONE, "42")
    ]
    first, second = chat.inference.requests
    assert {"calculator", "now"} <= set(offered(first))
    assert second["messages"][: len(first["messages"])] == first["messages"]
    call, result = second["messages"][len(first["messages"]) :]
    assert call == {
        "role": "assistant",
        "content": "Let me see.",
        "reasoning_content": "I should calculate.",
        "reasoning": "I should calculate.",
        "tool_calls": [
            {
                "id": "c1",
                "type": "function",
                "function": {"name": "calculator", "arguments": '{"expression": "6*7"}'},
            }
        ],
    }
    assert result == {"role": "tool", "tool_call_id": "c1", "content": "42"}


async def test_results_stay_in_the_answer_that_they_belong_to(chat: Chat) -> None:
    chat.inference.script(Call("calculator", {"expression": "6*7"}))
    await chat.answer("What is 6*7?")
    await chat.answer("And now?")
    assert results(chat.inference.requests[-1]) == []


async def test_an_answer_says_whether_it_is_made_from_what_others_wrote(chat: Chat) -> None:
    chat.inference.script(Call("calculator", {"expression": "6*7"}))
    assert not (await chat.answer("What is 6*7?")).foreign
    chat.core.responder.toolbox = Reading()
    chat.inference.script(Call("read"))
    assert (await chat.answer("Read.")).foreign


async def test_what_may_become_an_address_is_held_until_the_end_and_forgotten_where_none_comes(
    chat: Chat,
) -> None:
    chat.core.responder.toolbox = Reading()
    chat.inference.script(Call("read"))
    chat.inference.script(Say("See htt"))
    assert (await chat.answer("Read.")).text == "See htt"
    chat.inference.script(Call("read"))
    chat.inference.script(Say("htt"), Drop())
    assert (await chat.answer("Read.")).text == "Hello there."


async def test_several_calls_at_once_are_made_in_order(chat: Chat) -> None:
    chat.inference.script(
        Call("calculator", {"expression": "1+1"}), Call("calculator", {"expression": "2+2"})
    )
    reply = await chat.answer("Both, please.")
    assert results(chat.inference.requests[-1]) == ["2", "4"]
    assert reply.state is ReplyState.DONE


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("calculator", '{"expression": "1+', "not JSON"),
        ("calculator", "[1]", "not a JSON object"),
        ("calculator", {"expr": "1"}, "required"),
        ("calculator", {"expression": 5}, "not of type"),
        ("calculator", {"expression": "1/0"}, "division by zero"),
        ("weather", {}, "there is no tool 'weather'"),
        ("", {}, "there is no tool"),
    ],
)
async def test_what_is_wrong_with_a_call_is_told_to_the_model(
    chat: Chat, name: str, arguments: dict[str, Any] | str, told: str
) -> None:
    chat.inference.script(Call(name, arguments))
    reply = await chat.answer("Go on.")
    assert reply.state is ReplyState.DONE
    assert reply.steps[0].state is StepState.FAILED
    (result,) = results(chat.inference.requests[-1])
    assert result.startswith("Error:")
    assert told in result


async def test_the_last_request_has_no_tools_so_that_an_answer_comes(chat: Chat) -> None:
    chat.configure(Config(tools=ToolsConfig(max_calls=2)))
    for _ in range(2):
        chat.inference.script(Call("calculator", {"expression": "1+1"}))
    reply = await chat.answer("Never stop.")
    assert reply.text == "Hello there."
    assert [bool(offered(request)) for request in chat.inference.requests] == [True, True, False]


async def test_calls_beyond_the_limit_are_not_made(chat: Chat) -> None:
    chat.configure(Config(tools=ToolsConfig(max_calls=1)))
    chat.inference.script(
        Call("calculator", {"expression": "1+1"}), Call("calculator", {"expression": "2+2"})
    )
    reply = await chat.answer("Both.")
    first, second = results(chat.inference.requests[-1])
    assert first == "2"
    assert "no more calls" in second
    assert [step.state for step in reply.steps] == [StepState.DONE, StepState.FAILED]


async def test_a_model_that_calls_to_the_end_gets_a_line_that_says_so(chat: Chat) -> None:
    chat.configure(Config(tools=ToolsConfig(max_calls=1)))
    chat.inference.default = [Call("calculator", {"expression": "1+1"})]
    reply = await chat.answer("Never stop.")
    assert reply.state is ReplyState.FAILED
    assert "kept calling tools" in reply.notices[-1]


@pytest.mark.parametrize("calls_that_are_made", [0, 1])
async def test_an_answer_of_calls_and_no_text_says_so(chat: Chat, calls_that_are_made: int) -> None:
    chat.configure(Config(tools=ToolsConfig(max_calls=calls_that_are_made)))
    chat.inference.script(Call("calculator", {"expression": "6*7"}))
    chat.inference.script(Say(" "))
    reply = await chat.answer("6*7?")
    assert len(reply.steps) == calls_that_are_made
    assert reply.state is ReplyState.FAILED
    assert reply.notices == [builtin_texts("en")["only_called"]]


async def test_no_tools_are_offered_where_there_may_be_no_calls(chat: Chat) -> None:
    chat.configure(Config(tools=ToolsConfig(max_calls=0)))
    await chat.answer("Hello.")
    assert offered(chat.inference.requests[-1]) == []


async def test_a_model_that_can_call_nothing_is_offered_nothing(chat: Chat) -> None:
    chat.inference.model["tools"] = False
    await chat.answer("Hello.")
    assert offered(chat.inference.requests[-1]) == []


@pytest.mark.parametrize(
    "refusal",
    [
        Error(400, "400", "tools are not supported"),
        Error(500, "server_error", "tools param requires --jinja flag"),
        Fail("server_error", "this model does not support tools"),
    ],
)
async def test_a_server_that_refuses_tools_is_asked_without_from_then_on(
    chat: Chat, refusal: Error | Fail
) -> None:
    chat.inference.script(refusal)
    reply = await chat.answer("Hello.")
    assert (reply.state, reply.text) == (ReplyState.DONE, "Hello there.")
    asked = len(chat.inference.requests)
    assert (await chat.answer("Hello again.")).text == "Hello there."
    assert len(chat.inference.requests) == asked + 1
    assert offered(chat.inference.requests[-1]) == []


async def test_a_call_that_was_not_offered_is_not_made(chat: Chat) -> None:
    chat.inference.script(Error(500, "server_error", "tools param requires --jinja flag"))
    chat.inference.script(Call("calculator", {"expression": "6*7"}))
    reply = await chat.answer("6*7?")
    assert reply.steps == []
    assert reply.notices == [builtin_texts("en")["only_called"]]


@pytest.mark.parametrize("said", [Say(reasoning="Hm."), Say("It is")], ids=["thought", "text"])
async def test_tools_that_are_refused_after_something_came_end_the_answer(
    chat: Chat, said: Say
) -> None:
    chat.inference.script(said, Fail("server_error", "this model does not support tools"))
    assert (await chat.answer("6*7?")).state is ReplyState.FAILED
    assert len(chat.inference.requests) == 1


async def test_a_refusal_of_tools_where_there_were_none_ends_the_answer(chat: Chat) -> None:
    chat.configure(Config(tools=ToolsConfig(max_calls=0)))
    chat.inference.script(Error(500, "server_error", "tools param requires --jinja flag"))
    assert (await chat.answer("Hello.")).state is ReplyState.FAILED
    assert len(chat.inference.requests) == 1


async def test_a_server_that_refuses_tools_and_newer_fields_is_asked_with_neither(
    chat: Chat,
) -> None:
    def refuses(body: dict[str, Any]) -> Error | None:
        surplus = {"tools", "reasoning_effort", "cache_salt"} & set(body)
        return Error(400, "400", f"unknown fields: {surplus}") if surplus else None

    chat.inference.refusal = refuses  # type: ignore[method-assign]
    for _ in range(3):
        assert (await chat.answer("Hello.")).text == "Hello there."
    assert not {"tools", "reasoning_effort"} & set(chat.inference.requests[-1])
    assert "tools" not in chat.inference.requests[-2]


async def test_a_server_that_refuses_newer_fields_is_still_offered_tools(chat: Chat) -> None:
    def refuses(body: dict[str, Any]) -> Error | None:
        return Error(400, "400", f"surplus in {list(body)}") if "user" in body else None

    chat.inference.refusal = refuses  # type: ignore[method-assign]
    for _ in range(2):
        assert (await chat.answer("Hello.")).text == "Hello there."
    assert offered(chat.inference.requests[-1])


async def test_the_webs_tools_are_offered_by_the_names_that_gpt_oss_was_trained_on(
    chat: Chat,
) -> None:
    web = {"search": "searxng", "url": "http://127.0.0.1:9"}
    chat.configure(Config.model_validate({"web": web}))
    await chat.answer("Look.")
    assert {"browser.search", "browser.find"} <= set(offered(chat.inference.requests[-1]))


async def test_a_server_that_takes_no_dots_gets_names_without(chat: Chat) -> None:
    def refuses(body: dict[str, Any]) -> Error | None:
        dotted = [name for name in offered(body) if "." in name]
        return Error(400, "400", "Invalid 'tools[2].function.name'") if dotted else None

    chat.inference.refusal = refuses  # type: ignore[method-assign]
    web = {"search": "searxng", "url": "http://127.0.0.1:9"}
    chat.configure(Config.model_validate({"web": web}))
    chat.inference.script(Call("browser_find", {"pattern": "x"}))
    reply = await chat.answer("Look.")
    assert reply.steps[0].tool == "browser.find"
    assert "browser_search" in offered(chat.inference.requests[-1])
    assert "no page is open" in results(chat.inference.requests[-1])[0]


@pytest.mark.parametrize("takes_dots", [True, False])
async def test_a_server_that_takes_results_only_beside_the_tools_gets_both(
    chat: Chat, takes_dots: bool
) -> None:
    def refuses(body: dict[str, Any]) -> Error | None:
        if not takes_dots and any("." in name for name in offered(body)):
            return Error(400, "400", "Invalid 'tools[2].function.name'")
        alone = results(body) and not offered(body)
        return Error(400, "400", "tool results need the tools parameter") if alone else None

    chat.inference.refusal = refuses  # type: ignore[method-assign]
    web = {"search": "searxng", "url": "http://127.0.0.1:9"}
    chat.configure(Config.model_validate({"web": web, "tools": {"max_calls": 1}}))
    chat.inference.script(Call("calculator", {"expression": "6*7"}))
    assert (await chat.answer("6*7?")).text == "Hello there."
    last = chat.inference.requests[-1]
    as_trained = offered(chat.inference.requests[0])
    assert "browser.find" in as_trained
    assert offered(last) == [n if takes_dots else n.replace(".", "_") for n in as_trained]
    assert last["tool_choice"] == "none"


async def test_an_error_that_has_nothing_to_do_with_tools_costs_none(chat: Chat) -> None:
    chat.inference.script(Error(500, "broken", "out of memory"))
    assert (await chat.answer("Hello.")).state is ReplyState.FAILED
    await chat.answer("Hello again.")
    assert offered(chat.inference.requests[-1])


async def test_a_connection_that_breaks_between_calls_is_tried_again(chat: Chat) -> None:
    chat.inference.script(Say("I calculate."), Call("calculator", {"expression": "6*7"}))
    chat.inference.script(Say(reasoning="so"), Drop())
    reply = await chat.answer("What is 6*7?")
    assert reply.text == "I calculate.\n\nHello there."
    assert results(chat.inference.requests[-1]) == ["42"]


async def test_tokens_of_all_requests_count(chat: Chat) -> None:
    chat.inference.script(Call("calculator", {"expression": "6*7"}))
    reply = await chat.answer("What is 6*7?")
    assert (reply.prompt_tokens, reply.completion_tokens) == (20, 14)


class Reading(Toolbox):
    """Its tool reads what others wrote."""

    async def open(self, config: Config, context: ToolContext) -> Session:
        async def run(arguments: Arguments) -> ToolResult:
            return ToolResult("News.")

        tool = Tool("read", "Reads.", {"type": "object"}, run, reads_outside=True)
        return Session([tool], config.tools)


class Slow(Toolbox):
    """Its tool ends only when it is cancelled."""

    def __init__(self, chat: Chat) -> None:
        super().__init__(Config(), chat.core.store)
        self.begun = asyncio.Event()
        self.cancelled = False

    async def run(self, arguments: Arguments) -> ToolResult:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled = True
        return ToolResult("")

    async def open(self, config: Config, context: ToolContext) -> Session:
        tool = Tool("slow", "Takes for ever.", {"type": "object"}, self.run)
        return Session([tool], config.tools)


@pytest.fixture
def slow(chat: Chat) -> Slow:
    slow = Slow(chat)
    chat.core.responder.toolbox = slow
    chat.inference.script(Call("slow"))
    return slow


async def test_stop_ends_a_call(chat: Chat, slow: Slow) -> None:
    reply: Reply = await chat.ask("Wait.")
    await slow.begun.wait()
    assert reply.state is ReplyState.CALLING
    reply.stop()
    await finished(reply)
    assert reply.state is ReplyState.STOPPED
    assert slow.cancelled
    assert reply.steps[0].state is StepState.FAILED


class Writing(Toolbox):
    """Its tool writes, so that the asker is asked."""

    def __init__(self, chat: Chat) -> None:
        super().__init__(Config(), chat.core.store)
        self.written = 0

    async def run(self, arguments: Arguments) -> ToolResult:
        self.written += 1
        return ToolResult("done")

    async def open(self, config: Config, context: ToolContext) -> Session:
        tool = Tool("write", "Writes.", {"type": "object"}, self.run, writes=True, approve="writes")
        return Session([tool], config.tools)


async def asking(reply: Reply) -> str:
    """The key of the call that waits for its asker."""
    async for _ in reply.updates():
        if reply.approval is not None:
            return reply.approval.key
    raise AssertionError("nobody was asked")


async def test_nothing_is_generated_while_a_call_waits_for_its_asker(chat: Chat) -> None:
    chat.core.responder.toolbox = writing = Writing(chat)
    chat.inference.script(Call("write"))
    reply = await chat.ask("Write.")
    key = await asking(reply)
    assert chat.inference.streaming == 0
    chat.inference.script(Say("Hello Ben."))
    assert (await chat.answer("Hello.", MODERATOR)).text == "Hello Ben."
    assert reply.decide(key, allowed=True)
    await chat.ended(reply)
    assert (reply.text, writing.written) == ("Hello there.", 1)


async def test_stop_ends_a_call_that_waits_for_its_asker(chat: Chat) -> None:
    chat.core.responder.toolbox = writing = Writing(chat)
    chat.inference.script(Call("write"))
    reply = await chat.ask("Write.")
    key = await asking(reply)
    reply.stop()
    await chat.ended(reply)
    assert (reply.state, reply.approval) == (ReplyState.STOPPED, None)
    assert reply.steps[0].state is StepState.FAILED
    assert not reply.decide(key, allowed=True)
    assert writing.written == 0


async def test_a_call_that_takes_too_long_is_an_error(chat: Chat, slow: Slow) -> None:
    chat.configure(Config(tools=ToolsConfig(timeout_seconds=0.05)))
    reply = await chat.answer("Wait.")
    assert slow.cancelled
    assert "longer than" in results(chat.inference.requests[-1])[0]
    assert reply.text == "Hello there."


async def test_a_long_result_leaves_room_for_the_answer(chat: Chat) -> None:
    class Long(Toolbox):
        async def open(self, config: Config, context: ToolContext) -> Session:
            async def run(arguments: Arguments) -> ToolResult:
                return ToolResult("word " * 100_000)

            return Session([Tool("long", "Long.", {"type": "object"}, run)], config.tools)

    chat.core.responder.toolbox = Long(Config(), chat.core.store)
    chat.inference.model["max_model_len"] = 4096
    for _ in range(3):
        chat.inference.script(Call("long"))
    reply = await chat.answer("Read.")
    assert reply.state is ReplyState.DONE
    for request in chat.inference.requests:
        assert sum(len(m["content"] or "") for m in request["messages"]) < 3 * 4096
