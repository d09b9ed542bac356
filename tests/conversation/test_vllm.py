"""Answers from a server that speaks vLLM's dialect behind `inference.url`."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.client import client as client_module
from bot.conversation import waiting
from bot.conversation.reply import ReplyState
from tests.conversation.conftest import Chat, chatting, finished
from tests.conversation.test_responder import until
from tests.doubles.inference import Drop, Error, Fail, Say, Wait
from tests.doubles.vllm import VllmDouble

NO_ANSWER = ["Something went wrong, and I couldn't answer. Please ask again."]
GIVEN_UP = ["The model still isn't available, so I gave up. Please ask again in a few minutes."]
CUT_OFF = [
    "The answer was cut off because the model stopped working. What it wrote so far is above."
]


@pytest.fixture(autouse=True)
def _poll_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(waiting, "FIRST_PAUSE_SECONDS", 0.01)


@pytest.fixture
def vllm() -> VllmDouble:
    return VllmDouble()


@pytest.fixture
async def chat(vllm: VllmDouble, tmp_path: Path) -> AsyncIterator[Chat]:
    async with chatting(vllm, tmp_path) as chat:
        yield chat


@pytest.mark.parametrize(
    "names", [["reasoning"], ["reasoning_content"], ["reasoning", "reasoning_content"]]
)
async def test_reasoning_stays_out_of_the_answer_and_comes_once(
    chat: Chat, vllm: VllmDouble, names: list[str]
) -> None:
    vllm.reasoning_names = names
    vllm.script(Say(reasoning="Let me "), Say(reasoning="think."), Say("Blue"), Say("."))
    reply = await chat.answer("Which colour?")
    assert (reply.state, reply.text, reply.reasoning) == (ReplyState.DONE, "Blue.", "Let me think.")
    assert reply.notices == []


async def test_an_answer_streams_without_a_place_in_the_queue(chat: Chat, vllm: VllmDouble) -> None:
    go_on = asyncio.Event()
    vllm.script(Wait(go_on), Say("One"), Wait(asyncio.Event()))
    reply = await chat.ask("Hi")
    await vllm.asked.wait()
    assert (reply.state, reply.position, reply.eta_seconds) == (ReplyState.QUEUED, None, None)
    go_on.set()
    await until(reply, ReplyState.WRITING)
    assert reply.text == "One"
    reply.stop()
    await vllm.cancelled.wait()


async def test_the_model_it_serves_is_asked_for_whatever_the_configuration_names(
    chat: Chat, vllm: VllmDouble
) -> None:
    await chat.answer("Hi")
    assert vllm.requests[0]["model"] == "openai/gpt-oss-20b"


async def test_usage_without_a_word_of_reasoning_counts_it_as_answer(chat: Chat) -> None:
    reply = await chat.answer("Hi")
    assert reply.usage is not None
    assert (reply.usage.reasoning_tokens, reply.usage.answer_tokens) == (0, 7)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("status", [400, 404, 500])
async def test_an_error_of_either_form_is_one_clear_line_without_its_text(
    chat: Chat, vllm: VllmDouble, status: int, flat: bool
) -> None:
    vllm.flat_errors = flat
    refusal = Error(status, message="1 validation error: {'input': 'what the person typed'}")
    vllm.script(refusal)
    vllm.script(refusal)  # a 400 may be for the fields beyond the oldest: it is asked once without
    reply = await chat.answer("Hi")
    assert (reply.state, reply.text, reply.notices) == (ReplyState.FAILED, "", NO_ANSWER)


async def test_a_wrong_key_is_one_clear_line(vllm: VllmDouble, tmp_path: Path) -> None:
    async with chatting(vllm, tmp_path) as chat:
        vllm.api_key = "another"
        assert (await chat.answer("Hi")).notices == NO_ANSWER
    assert vllm.requests == []


async def test_the_right_key_opens_it(vllm: VllmDouble, tmp_path: Path) -> None:
    vllm.api_key = "sesame"
    async with chatting(vllm, tmp_path) as chat:
        assert (await chat.answer("Hi")).text == "Hello there."


async def test_an_error_in_mid_stream_keeps_what_came_and_is_not_tried_again(
    chat: Chat, vllm: VllmDouble
) -> None:
    vllm.script(Say("The sky is"), Fail("500", "Internal server error"))
    reply = await chat.answer("Why is the sky blue?")
    assert (reply.state, reply.text) == (ReplyState.FAILED, "The sky is")
    assert reply.notices == CUT_OFF
    assert len(vllm.requests) == 1


async def test_an_error_before_the_first_word_is_tried_again_once(
    chat: Chat, vllm: VllmDouble
) -> None:
    vllm.script(Say(reasoning="Hm"), Fail("500", "Internal server error"))
    reply = await chat.answer("Hi")
    assert (reply.text, reply.reasoning) == ("Hello there.", "")
    for _ in range(2):
        vllm.script(Fail("500", "Internal server error"))
    assert (await chat.answer("Hi")).notices == NO_ANSWER


async def test_an_answer_that_the_server_aborts_is_no_whole_answer(
    chat: Chat, vllm: VllmDouble
) -> None:
    vllm.finish_reason = "abort"
    reply = await chat.answer("Hi")
    assert (reply.state, reply.text) == (ReplyState.FAILED, "Hello there.")
    assert reply.notices == CUT_OFF


async def test_a_connection_that_breaks_off_keeps_what_came(chat: Chat, vllm: VllmDouble) -> None:
    vllm.script(Say("The sky is"), Drop())
    reply = await chat.answer("Why is the sky blue?")
    assert (reply.text, reply.notices) == ("The sky is", CUT_OFF)


@pytest.mark.parametrize(
    ("header", "wait"),
    [({"Retry-After": "120"}, "2 min"), ({}, "10 s"), ({"Retry-After": "inf"}, "60 min")],
)
async def test_what_stands_before_it_may_refuse_for_load(
    chat: Chat, vllm: VllmDouble, header: dict[str, str], wait: str
) -> None:
    vllm.script(Error(429, headers=header))
    reply = await chat.answer("Hi")
    assert reply.notices == [f"Too many people are asking right now. Please try again in {wait}."]


async def test_while_its_engine_restarts_the_question_waits(chat: Chat, vllm: VllmDouble) -> None:
    vllm.ready = False
    reply = await chat.ask("Hi")
    await until(reply, ReplyState.LOADING)
    vllm.ready = True
    vllm.script(Error(503))
    assert (await finished(reply)).text == "Hello there."


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_server_that_refuses_in_good_health_is_asked_again_and_the_person_told(
    chat: Chat, vllm: VllmDouble, status: int
) -> None:
    vllm.script(Error(status))
    vllm.script(Error(status))
    reply = await chat.ask("Hi")
    await until(reply, ReplyState.UNAVAILABLE)
    assert (await finished(reply)).text == "Hello there."
    assert len(vllm.requests) == 3


async def test_a_server_that_goes_on_refusing_is_given_up_and_the_person_told(
    chat: Chat, vllm: VllmDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 3600.0)  # on a slow machine, too
    vllm.script(Error(503))
    vllm.script(Error(503))
    vllm.default = [Error(503, headers={"Retry-After": "3601"})]
    reply = await chat.answer("Hi")
    assert (reply.state, reply.notices) == (ReplyState.FAILED, GIVEN_UP)
    assert len(vllm.requests) == 3


@pytest.mark.parametrize("header", ["120", "Fri, 31 Dec 2100 23:59:59 GMT"])
async def test_a_server_that_asks_for_a_longer_pause_than_people_wait_is_asked_once(
    chat: Chat, vllm: VllmDouble, header: str
) -> None:
    vllm.default = [Error(503, headers={"Retry-After": header})]
    assert (await chat.answer("Hi")).notices == GIVEN_UP
    assert len(vllm.requests) == 1


async def test_a_server_is_not_asked_again_before_it_wants_to_be(
    chat: Chat, vllm: VllmDouble
) -> None:
    vllm.script(Error(503, headers={"Retry-After": "0.3"}))
    started = time.monotonic()
    assert (await chat.answer("Hi")).text == "Hello there."
    assert time.monotonic() - started >= 0.3


async def test_a_question_longer_than_the_context_is_cut_to_fit(
    chat: Chat, vllm: VllmDouble
) -> None:
    reply = await chat.answer("word " * 9000)
    assert reply.text == "Hello there."
    assert "too long for the model" in reply.notices[0]
    assert len(vllm.requests) == 1


async def test_a_context_that_the_server_does_not_tell_is_found_by_its_refusals(
    chat: Chat, vllm: VllmDouble
) -> None:
    vllm.counts_tokens = vllm.lists_models = False
    vllm.model |= {"id": "scripted", "max_model_len": 2048}
    reply = await chat.answer("word " * 3000)
    assert reply.text == "Hello there."
    assert len(vllm.requests) > 1


async def test_a_prompt_too_long_may_also_be_told_inside_the_stream(
    chat: Chat, vllm: VllmDouble
) -> None:
    message = "The decoder prompt (length 9000) is longer than the maximum model length of 8192."
    vllm.script(Fail("400", message))
    reply = await chat.answer("word " * 3000)
    assert reply.text == "Hello there."
    first, second = (prompt[-1]["content"] for prompt in vllm.prompts)
    assert len(second) < len(first)


async def test_after_a_restart_with_another_model_the_next_question_finds_it(
    chat: Chat, vllm: VllmDouble
) -> None:
    await chat.answer("Hi")
    vllm.model["id"] = "Qwen/Qwen3-0.6B"
    assert (await chat.answer("Hi")).notices == NO_ANSWER
    assert (await chat.answer("Hi")).text == "Hello there."


async def test_a_server_that_refuses_the_newer_fields_is_asked_without_them(
    chat: Chat, vllm: VllmDouble
) -> None:
    vllm.script(Error(422, message="Unexpected fields in the request: {'min_p'}"))
    assert (await chat.answer("Hi")).text == "Hello there."
    full, plain = vllm.requests
    assert full["reasoning_effort"] == "medium"
    assert set(plain) == {"model", "messages", "stream", "max_tokens", "tools"}
    assert plain["max_tokens"] == full["max_completion_tokens"]
