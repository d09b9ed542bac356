"""Answers from a server that speaks Ollama's dialect behind `inference.url`."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.check import check
from bot.config import Config
from bot.conversation.reply import ReplyState
from tests.conversation.conftest import Chat, chatting
from tests.conversation.test_responder import until
from tests.doubles.inference import Call, Error, Say, Wait
from tests.doubles.ollama import OllamaDouble


@pytest.fixture
def ollama() -> OllamaDouble:
    return OllamaDouble()


@pytest.fixture
async def chat(ollama: OllamaDouble, tmp_path: Path) -> AsyncIterator[Chat]:
    async with chatting(ollama, tmp_path) as chat:
        yield chat


async def test_reasoning_answer_and_usage_come_apart(chat: Chat, ollama: OllamaDouble) -> None:
    ollama.script(Say(reasoning="Let me "), Say(reasoning="think."), Say("Blue"), Say("."))
    reply = await chat.answer("Which colour?")
    assert (reply.state, reply.text, reply.reasoning) == (ReplyState.DONE, "Blue.", "Let me think.")
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.answer_tokens) == (10, 7)


async def test_a_stop_closes_the_stream(chat: Chat, ollama: OllamaDouble) -> None:
    ollama.script(Say("One"), Wait(asyncio.Event()))
    reply = await chat.ask("Hi")
    await until(reply, ReplyState.WRITING)
    reply.stop()
    await ollama.cancelled.wait()


async def test_a_call_that_comes_in_one_piece_is_made(chat: Chat, ollama: OllamaDouble) -> None:
    ollama.script(Call("calculator", {"expression": "6*7"}))
    ollama.script(Say("It is 42."))
    assert (await chat.answer("6*7?")).text == "It is 42."
    assert ollama.prompts[1][-1]["content"] == "42"


async def test_a_model_without_tools_is_offered_none(chat: Chat, ollama: OllamaDouble) -> None:
    ollama.calls_tools = False
    assert (await chat.answer("Hi")).text == "Hello there."
    asked = len(ollama.requests)
    assert (await chat.answer("Hi")).text == "Hello there."
    assert "tools" not in ollama.requests[asked]


async def checked(ollama: OllamaDouble, folder: Path) -> list[str]:
    """What `bot check` says of the server."""
    storage = {"url": f"sqlite+aiosqlite:///{folder / 'bot.db'}"}
    async with ollama.running():
        inference = {"url": ollama.url}
        config = Config.model_validate({"inference": inference, "storage": storage})
        found = await asyncio.to_thread(lambda: list(check(config)))
    return [finding.detail for finding in found if finding.subject == "inference"]


async def test_the_check_says_what_it_lacks(ollama: OllamaDouble, tmp_path: Path) -> None:
    ollama.calls_tools = False
    ollama.default = [Say("<think>Hm, the person "), Say("wants an OK.")]
    lines = await checked(ollama, tmp_path)
    assert lines == [
        f"{ollama.url} answers with gpt-oss:20b",
        "the server tells no length of context: 8192 tokens are assumed",
        "the server counts no tokens of a prompt (/tokenize): they are estimated",
        "the server tells no place in the queue and no time to wait",
        "the server takes no tools: the model can call none",
        "the server makes reasoning part of the answer: start it with the model's reasoning parser",
    ]


async def test_the_check_says_that_a_server_takes_only_the_oldest_fields(
    ollama: OllamaDouble, tmp_path: Path
) -> None:
    ollama.script(Error(422, message="Unexpected fields in the request: {'user'}"))
    lines = await checked(ollama, tmp_path)
    assert any("refuses what goes beyond OpenAI's oldest fields" in line for line in lines)


async def test_what_a_server_does_not_count_is_estimated(
    chat: Chat, ollama: OllamaDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ollama, "usage", lambda: None)
    ollama.script(Say("One "), Say("two "), Say("three."))
    reply = await chat.answer("Hi")
    assert reply.usage is not None
    assert reply.usage.prompt_tokens > 0
    assert reply.usage.answer_tokens == 3
