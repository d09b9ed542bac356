"""What prompt, tools and answer get of the model's context."""

from typing import Any

import pytest

from bot.client import PromptTooLong
from bot.config import Config, Effort, builtin_texts
from bot.conversation.answer import Answer
from bot.conversation.events import Message, Question
from bot.conversation.reply import Reply, ReplyState
from bot.conversation.tool_use import tokens_of
from tests.conversation.conftest import ANN, CHANNEL, Chat
from tests.doubles.inference import Call, Error, Fail, Say

LONG = "word " * 9000


def tools_of(request: dict[str, Any]) -> list[dict[str, Any]]:
    return request.get("tools", [])


async def test_prompt_tools_calls_and_answer_fill_the_context_and_no_more(chat: Chat) -> None:
    context = chat.inference.model["max_model_len"] = 4096
    chat.inference.script(Call("calculator", {"expression": "6*7"}))
    await chat.answer(LONG)
    first, second = chat.inference.requests
    answer = first["max_completion_tokens"]
    assert answer == 2048
    assert len(second["messages"]) == 4
    for request in (first, second):
        prompt, calls = request["messages"][:2], request["messages"][2:]
        tools = tokens_of(tools_of(request))
        assert tools > 100
        used = chat.inference.count(prompt) + tools + tokens_of(calls) + answer
        assert context - 20 <= used <= context


async def test_a_text_that_may_not_be_cut_is_never_sent_in_part(chat: Chat) -> None:
    chat.inference.model["max_model_len"] = 200
    here = await chat.core.read(CHANNEL)
    answer = Answer(
        question=Question(Message("m", ANN, "word " * 500)),
        reply=Reply(asker=ANN.id, effort=Effort.LOW, show_reasoning=False),
        here=here,
        client=chat.core.client,
        toolbox=chat.core.responder.toolbox,
        cuts=False,
    )
    with pytest.raises(PromptTooLong):
        await answer.run()
    assert chat.inference.requests == []


async def test_half_of_a_small_context_stays_for_the_conversation(chat: Chat) -> None:
    chat.inference.model["max_model_len"] = 1001
    await chat.answer("Hi")
    assert chat.inference.requests[0]["max_completion_tokens"] == 500
    chat.configure(Config.model_validate({"efforts": {"medium": {"max_tokens": 499}}}))
    await chat.answer("Hi")
    assert chat.inference.requests[1]["max_completion_tokens"] == 499


async def test_tools_that_would_take_most_of_the_room_are_not_offered(chat: Chat) -> None:
    await chat.answer("Hi")
    tools = tokens_of(tools_of(chat.inference.requests[0]))
    for context, offered in ((4 * tools, True), (4 * tools - 4, False)):
        chat.inference.model["max_model_len"] = context
        chat.inference.script(Error(404))  # so that it is asked what it serves by now
        await chat.answer("Hi")
        await chat.answer("Hi")
        assert bool(tools_of(chat.inference.requests[-1])) == offered


async def test_a_context_that_is_not_told_is_taken_for_8192_tokens(chat: Chat) -> None:
    del chat.inference.model["max_model_len"]
    chat.inference.counts_tokens = False
    chat.configure(Config.model_validate({"efforts": {"medium": {"max_tokens": 5000}}}))
    await chat.answer(LONG)
    (request,) = chat.inference.requests
    assert request["max_completion_tokens"] == 4096
    characters = sum(len(message["content"]) for message in request["messages"])
    room = 4096 - tokens_of(tools_of(request))
    assert room - 100 <= characters / 3 <= room


async def test_each_refusal_of_a_prompt_leaves_less_of_the_context_and_the_fourth_ends_it(
    chat: Chat,
) -> None:
    chat.inference.model["max_model_len"] = 8000
    chat.configure(Config.model_validate({"efforts": {"medium": {"max_tokens": 8000}}}))
    for _ in range(3):
        chat.inference.script(Error(400, "context_length_exceeded"))
    assert (await chat.answer("Hi")).text == "Hello there."
    asked = [request["max_completion_tokens"] for request in chat.inference.requests]
    assert asked == [4000, 2400, 1440, 863]
    for _ in range(4):
        chat.inference.script(Error(400, "context_length_exceeded"))
    await chat.answer("Hi")
    assert len(chat.inference.requests) == 8


async def test_a_prompt_that_turns_out_too_long_after_text_came_is_not_shortened(
    chat: Chat,
) -> None:
    chat.inference.script(Say("The sky is"), Fail("context_length_exceeded"))
    reply = await chat.answer("Hi")
    assert (reply.state, reply.text) == (ReplyState.FAILED, "The sky is")
    assert reply.notices == [builtin_texts("en")["cut_off"]]
    assert len(chat.inference.requests) == 1


async def test_an_answers_tokens_are_shared_by_its_requests(chat: Chat) -> None:
    for _ in range(2):
        chat.inference.script(Call("calculator", {"expression": "6*7"}))
    await chat.answer("6*7?")
    limits = [request["max_completion_tokens"] for request in chat.inference.requests]
    assert limits == [2048, 2048 - 7, 2048 - 2 * 7]


async def test_a_personas_sampling_is_told_and_nothing_of_what_it_leaves_out(chat: Chat) -> None:
    sampling = {"temperature": 0.5, "min_p": 0.1}
    chat.configure(
        Config.model_validate(
            {
                "personas": {"calm": {"prompt": "Be calm.", "sampling": sampling}},
                "defaults": {"persona": "calm", "effort": Effort.LOW},
            }
        )
    )
    await chat.answer("Hi")
    (request,) = chat.inference.requests
    assert (request["temperature"], request["min_p"]) == (0.5, 0.1)
    assert "top_p" not in request
