"""What the requests of one answer bring and used, put together while they run and at the end."""

import asyncio
from typing import Any

import pytest

from bot.conversation.reply import Reply, ReplyState, TokenCounts
from tests.conversation.conftest import Chat, finished
from tests.doubles.inference import Call, Queue, Say, Wait

CALL = Call("calculator", {"expression": "6*7"})
USED = {
    "prompt_tokens": 10,
    "completion_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


def tell_usage(chat: Chat, monkeypatch: pytest.MonkeyPatch, usage: dict[str, Any] | None) -> None:
    monkeypatch.setattr(chat.inference, "usage", lambda: usage)


async def stopped_at(reply: Reply, text: str) -> Reply:
    """Stop the reply once its text ends so."""
    async for _ in reply.updates():
        if reply.text.endswith(text):
            reply.stop()
    return reply


async def test_the_tokens_of_each_kind_are_added_up_over_the_requests(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_usage(chat, monkeypatch, USED)
    chat.inference.script(CALL)
    usage = (await chat.answer("6*7?")).usage
    assert usage is not None
    assert usage == TokenCounts(20, 6, 8, usage.seconds, cached_tokens=8)
    assert 0 < usage.seconds < 300


async def test_pieces_count_as_tokens_where_a_server_tells_none(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_usage(chat, monkeypatch, None)
    chat.inference.script(Say(reasoning="Hm."), Say("I calculate."), CALL)
    chat.inference.script(Say("It "), Say("is 42."))
    reply = await chat.answer("6*7?")
    assert reply.usage is not None
    assert reply.usage.answer_tokens == reply.completion_tokens == 4 + 2
    first, second = (len(str(prompt)) for prompt in chat.inference.prompts)
    assert reply.usage.prompt_tokens == reply.prompt_tokens
    assert reply.prompt_tokens == pytest.approx((first + second) / 3, rel=0.2)
    limits = [request["max_completion_tokens"] for request in chat.inference.requests]
    assert limits == [2048, 2048 - 4]


async def test_an_answer_that_is_stopped_counts_what_came_of_its_second_request_too(
    chat: Chat,
) -> None:
    chat.inference.script(CALL)
    chat.inference.script(Say(reasoning="Hm."), Say("It is"), Wait(asyncio.Event()))
    reply = await stopped_at(await chat.ask("6*7?"), "It is")
    assert reply.state is ReplyState.STOPPED
    assert reply.completion_tokens == 7 + 2
    assert reply.prompt_tokens > 20


async def test_the_first_text_is_what_can_be_read_and_not_a_place_in_the_queue(chat: Chat) -> None:
    queued, thought = asyncio.Event(), asyncio.Event()
    chat.inference.script(
        Queue(1), Wait(queued), Say(reasoning="Hm."), Wait(thought), Say("So."), Say("!")
    )
    reply, first = await chat.ask("Why?"), None
    async for _ in reply.updates():
        if not queued.is_set() and reply.position == 1:
            assert (reply.state, reply.prompt_tokens) == (ReplyState.QUEUED, 0)
            assert reply.first_text_at is None
            queued.set()
        elif reply.reasoning and not thought.is_set():
            assert reply.state is ReplyState.THINKING
            first = reply.first_text_at
            thought.set()
    assert reply.text == "So.!"
    assert reply.first_text_at == first is not None


async def test_what_a_call_takes_counts_before_it_is_whole(chat: Chat) -> None:
    chat.inference.script(Say("Hm"), CALL, Wait(asyncio.Event()))
    reply = await chat.ask("6*7?")
    async for _ in reply.updates():
        break
    while reply.completion_tokens < 3:  # noqa: ASYNC110 (no view is told of half a call)
        await asyncio.sleep(0.001)
    reply.stop()
    assert (await finished(reply)).completion_tokens == 3


async def test_what_each_request_brings_is_a_paragraph_of_its_own(chat: Chat) -> None:
    chat.inference.script(Say(reasoning="I "), Say(reasoning="add."), Say("So: "), CALL)
    thinks = Say(reasoning="Now "), Say(reasoning="I say it.")
    chat.inference.script(*thinks, Say("\nIt is "), Say("42."))
    reply = await chat.answer("6*7?")
    assert reply.reasoning == "I add.\n\nNow I say it."
    assert reply.text == "So: \n\nIt is 42."
    (call,) = [m for m in chat.inference.prompts[-1] if m["role"] == "assistant"]
    assert (call["content"], call["reasoning"]) == ("So:", "I add.")
