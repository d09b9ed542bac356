"""The `openai` package against the real HTTP service."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("transformers")

import openai
from openai import AsyncOpenAI

from bot.inference.engines.base import Sampling, Sequence
from bot.inference.server.service import Service
from bot.inference.text.prompt import ChatFormat
from tests.inference.openai_client import openai_client
from tests.inference.scripted_engine import ScriptedEngine
from tests.inference.serving import NAME, loaded, serving, until
from tests.inference.tokenizers_fixture import (
    SMOLLM2_TEMPLATE,
    chatml_tokenizer,
    harmony_tokenizer,
)

PLAIN = ChatFormat(chatml_tokenizer(SMOLLM2_TEMPLATE))
HARMONY = ChatFormat(harmony_tokenizer())
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]


def says(chat_format: ChatFormat, text: str) -> Callable[[Sequence], list[int]]:
    """Every answer is `text`, control tokens in it included, and then the turn's end."""
    return lambda sequence: [*chat_format.control_ids(text), min(chat_format.stop_ids)]


def endless(sequence: Sequence) -> Iterator[int]:
    return itertools.repeat(PLAIN.control_ids(" blue")[0])


@asynccontextmanager
async def client_of(
    engine: ScriptedEngine,
    chat_format: ChatFormat = PLAIN,
    sampling: Sampling | None = None,
    **options: Any,
) -> AsyncIterator[tuple[AsyncOpenAI, Service]]:
    async with (
        serving(loaded(chat_format, engine, sampling), **options) as (service, url),
        openai_client(url, "sk-test") as client,
    ):
        yield client, service
    assert engine.running == set()


async def test_a_stream_brings_the_text_the_finish_reason_and_the_usage() -> None:
    async with client_of(ScriptedEngine(says(PLAIN, "The sky is blue. 🙂"))) as (client, _):
        stream = await client.chat.completions.create(
            model=NAME, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == "The sky is blue. 🙂"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens == len(PLAIN.control_ids(text)) + 1
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 0
    assert len({c.id for c in chunks}) == 1


async def test_reasoning_comes_apart_from_the_answer() -> None:
    answer = (
        "<|channel|>analysis<|message|>Three colours are asked for.<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Red, green, blue."
    )
    async with client_of(ScriptedEngine(says(HARMONY, answer)), HARMONY) as (client, _):
        stream = await client.chat.completions.create(
            model=NAME,
            messages=HELLO,
            reasoning_effort="high",
            stream=True,
            stream_options={"include_usage": True},
        )
        deltas, usage = [], None
        async for chunk in stream:
            usage = chunk.usage or usage
            deltas += [choice.delta for choice in chunk.choices]
        whole = await client.chat.completions.create(model=NAME, messages=HELLO)
    reasoning = "".join((d.model_extra or {}).get("reasoning_content") or "" for d in deltas)
    assert reasoning == "Three colours are asked for."
    assert "".join(d.content or "" for d in deltas) == "Red, green, blue."
    assert usage is not None
    assert usage.completion_tokens_details is not None
    assert usage.completion_tokens_details.reasoning_tokens == len(HARMONY.control_ids(reasoning))
    message = whole.choices[0].message
    assert message.content == "Red, green, blue."
    assert (message.model_extra or {})["reasoning_content"] == reasoning


async def test_without_stream_the_answer_comes_whole() -> None:
    async with client_of(ScriptedEngine(says(PLAIN, "Hello you"))) as (client, _):
        answer = await client.chat.completions.create(model=NAME, messages=HELLO, max_tokens=100)
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.content == "Hello you"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None


async def test_max_tokens_and_stop_strings_end_an_answer() -> None:
    async with client_of(ScriptedEngine(says(PLAIN, "one two three four"))) as (client, _):
        create = client.chat.completions.create
        cut = await create(model=NAME, messages=HELLO, max_completion_tokens=3)
        stopped = await create(model=NAME, messages=HELLO, stop=" three")
        one_of = await create(model=NAME, messages=HELLO, stop=["nowhere", "two"])
    assert cut.choices[0].finish_reason == "length"
    assert cut.usage is not None
    assert cut.usage.completion_tokens == 3
    assert stopped.choices[0].message.content == "one two"
    assert stopped.choices[0].finish_reason == "stop"
    assert one_of.choices[0].message.content == "one "


async def test_sampling_that_is_left_out_is_the_models_recommended_one() -> None:
    engine = ScriptedEngine(says(PLAIN, "Hi"))
    recommended = Sampling(temperature=0.2, top_p=0.9)
    async with client_of(engine, sampling=recommended) as (client, _):
        create = client.chat.completions.create
        await create(model=NAME, messages=HELLO)
        await create(model=NAME, messages=HELLO, temperature=0, seed=7, extra_body={"min_p": 0.1})
    assert [sequence.sampling for sequence in engine.admitted] == [
        recommended,
        Sampling(temperature=0, top_p=0.9, min_p=0.1, seed=7),
    ]


async def test_closing_the_stream_frees_the_engine_in_mid_answer() -> None:
    engine = ScriptedEngine(endless)
    async with client_of(engine) as (client, service):
        stream = await client.chat.completions.create(model=NAME, messages=HELLO, stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        await stream.close()
        await until(lambda: not service.running and not engine.running)


async def test_closing_the_stream_of_a_waiting_request_takes_it_out_of_the_queue() -> None:
    engine = ScriptedEngine(endless)
    async with client_of(engine) as (client, service):
        create = client.chat.completions.create
        running = await create(model=NAME, messages=HELLO, stream=True)
        waiting = await create(model=NAME, messages=HELLO, stream=True)
        place = await anext(aiter(waiting))
        assert (place.model_extra or {})["queue"] == {"position": 1, "eta_seconds": None}
        await waiting.close()
        await until(lambda: service.waiting == 0)
        assert service.running == 1
        await running.close()
    assert len(engine.admitted) == 1


async def test_a_client_that_gives_up_a_whole_answer_cancels_it() -> None:
    engine = ScriptedEngine(endless)
    async with client_of(engine) as (client, service):
        asking = asyncio.create_task(client.chat.completions.create(model=NAME, messages=HELLO))
        await until(lambda: service.running == 1)
        asking.cancel()
        await until(lambda: not service.running and not engine.running)


async def test_the_models_list_tells_context_and_kind_of_reasoning() -> None:
    engine = ScriptedEngine(endless, context=4096)
    async with client_of(engine, HARMONY) as (client, _):
        [model] = (await client.models.list()).data
    assert model.id == NAME
    assert model.model_extra == {
        "max_model_len": 4096,
        "reasoning": "harmony",
        "tools": True,
    }


async def refusal(client: AsyncOpenAI, **body: Any) -> openai.APIStatusError:
    """The error that the service answers a request with."""
    with pytest.raises(openai.APIStatusError) as info:
        await client.post(
            "/chat/completions", cast_to=object, body={"model": NAME, "messages": HELLO} | body
        )
    return info.value


@pytest.mark.parametrize(
    ("body", "kind", "param", "message"),
    [
        (
            {"messages": "Hello"},
            openai.BadRequestError,
            "messages",
            "Invalid value for 'messages': should be a valid list; found a string.",
        ),
        (
            {"temperature": -1},
            openai.BadRequestError,
            "temperature",
            "Invalid value for 'temperature': should be greater than or equal to 0; found -1.",
        ),
        (
            {"model": "gpt-5"},
            openai.NotFoundError,
            "model",
            "The model 'gpt-5' does not exist; this service has 'tiny'.",
        ),
    ],
)
async def test_bad_input_is_refused_in_openais_form(
    body: dict[str, Any], kind: type[openai.APIStatusError], param: str, message: str
) -> None:
    async with client_of(ScriptedEngine(endless)) as (client, _):
        error = await refusal(client, **body)
    assert isinstance(error, kind)
    assert error.param == param
    assert error.type == "invalid_request_error"
    assert isinstance(error.body, dict)
    assert error.body["message"] == message


async def test_a_prompt_longer_than_the_context_is_refused_with_the_numbers() -> None:
    async with client_of(ScriptedEngine(endless, context=50)) as (client, _):
        error = await refusal(client, messages=[{"role": "user", "content": "blue " * 100}])
    assert error.status_code == 400
    assert error.code == "context_length_exceeded"
    assert error.param == "messages"
    assert "context is 50 tokens, but the messages are 1" in error.message


async def test_invalid_json_is_refused() -> None:
    async with client_of(ScriptedEngine(endless)) as (client, _):
        with pytest.raises(openai.BadRequestError) as info:
            await client.post(
                "/chat/completions",
                cast_to=object,
                content=b'{"model": ',
                options={"headers": {"Content-Type": "application/json"}},
            )
    assert info.value.code == "invalid_json"
    assert "not valid JSON" in info.value.message


async def test_a_wrong_key_is_refused_and_the_right_one_is_not() -> None:
    engine = ScriptedEngine(says(PLAIN, "Hi"))
    async with client_of(engine, api_key="sk-right") as (client, _):
        with pytest.raises(openai.AuthenticationError) as info:
            await client.models.list()
        assert info.value.code == "invalid_api_key"
        await client.with_options(api_key="sk-right").models.list()


async def test_a_full_queue_is_a_rate_limit_error_that_says_when_to_try_again() -> None:
    async with client_of(ScriptedEngine(endless), queue_limit=0) as (client, _):
        stream = await client.chat.completions.create(model=NAME, messages=HELLO, stream=True)
        error = await refusal(client)
        await stream.close()
    assert isinstance(error, openai.RateLimitError)
    assert error.code == "queue_full"
    assert int(error.response.headers["retry-after"]) >= 1


async def test_a_deadline_is_an_error_in_the_stream_and_a_504_without_one() -> None:
    async with client_of(ScriptedEngine(endless), deadline_seconds=0.05) as (client, _):
        stream = await client.chat.completions.create(model=NAME, messages=HELLO, stream=True)
        with pytest.raises(openai.APIError) as info:
            async for _chunk in stream:
                pass
        assert info.value.code == "deadline_exceeded"
        assert (await refusal(client)).status_code == 504


async def test_an_engine_that_breaks_is_an_error_in_the_stream_and_then_a_503() -> None:
    engine = ScriptedEngine(endless)
    async with client_of(engine) as (client, service):
        stream = await client.chat.completions.create(model=NAME, messages=HELLO, stream=True)
        engine.error = RuntimeError("CUDA error")
        with pytest.raises(openai.APIError) as info:
            async for _chunk in stream:
                pass
        assert info.value.code == "engine_failed"
        assert service.failed.is_set()
        error = await refusal(client)
        assert error.status_code == 503
        assert "failed" in error.message
        engine._left.clear()
