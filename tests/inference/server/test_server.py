import asyncio
import itertools
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("transformers")

import httpx2

from bot.exit_code import ExitCode
from bot.inference.engines import EngineError
from bot.inference.engines.base import Sequence
from bot.inference.models.sources import Progress
from bot.inference.server import gate
from bot.inference.server.model import Model
from bot.inference.server.service import Service
from bot.inference.text.prompt import ChatFormat
from tests.http_client import http_client
from tests.inference.scripted_engine import ScriptedEngine
from tests.inference.serving import NAME, loaded, serving, until
from tests.inference.tokenizers_fixture import (
    SMOLLM2_TEMPLATE,
    chatml_tokenizer,
    sentencepiece_tokenizer,
)
from tests.waiting import HANG_SECONDS

FORMAT = ChatFormat(chatml_tokenizer(SMOLLM2_TEMPLATE))
MESSAGES = [{"role": "user", "content": "Hello"}]
CHAT: dict[str, Any] = {"model": NAME, "messages": MESSAGES}


def endless(sequence: Sequence) -> Iterator[int]:
    return itertools.repeat(FORMAT.control_ids(" blue")[0])


def short(sequence: Sequence) -> list[int]:
    return [*FORMAT.control_ids("Hello you"), min(FORMAT.stop_ids)]


@asynccontextmanager
async def http(engine: ScriptedEngine, **options: Any) -> AsyncIterator[httpx2.AsyncClient]:
    async with (
        serving(loaded(FORMAT, engine), **options) as (_, url),
        http_client(url) as client,
    ):
        yield client


async def test_while_the_model_is_on_its_way_health_tells_the_stage_and_requests_get_503() -> None:
    reports: list[Progress] = []
    may_go_on = threading.Event()

    def load(progress: Progress) -> Model:
        reports.append(progress)
        assert may_go_on.wait(10)
        return loaded(FORMAT, ScriptedEngine(short))(progress)

    async with (
        serving(load, wait_until_ready=False) as (service, url),
        http_client(url) as client,
    ):
        await until(lambda: bool(reports))
        reports[0]("fetching", 0.25)
        await until(lambda: service.stage.status == "fetching")
        health = await client.get("/health")
        assert health.status_code == 503
        assert (health.json()["status"], health.json()["progress"]) == ("fetching", 0.25)
        refused = await client.post("/v1/chat/completions", json=CHAT)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert refused.json()["error"]["message"] == (
            "The model 'tiny' can't answer now: fetching (25%)."
        )
        assert (await client.get("/v1/models")).status_code == 503
        may_go_on.set()
        await until(lambda: service.stage.status == "ready")
        health = await client.get("/health")
        assert health.status_code == 200
        assert health.json()["status"] == "ready"
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200


@pytest.mark.parametrize(
    ("error", "detail", "exit_code"),
    [
        (EngineError("no such device"), "no such device", ExitCode.UNUSABLE),
        (KeyError("secret"), "loading tiny failed: KeyError", ExitCode.FAILURE),
    ],
)
async def test_a_model_that_can_not_be_loaded_is_a_failure_with_its_reason(
    error: Exception, detail: str, exit_code: ExitCode
) -> None:
    def load(progress: Progress) -> Model:
        raise error

    async with serving(load, wait_until_ready=False) as (service, url):
        await service.failed.wait()
        assert service.exit_code == exit_code
        async with http_client(url) as client:
            health = await client.get("/health")
            assert health.status_code == 503
            assert (health.json()["status"], health.json()["detail"]) == ("failed", detail)


async def test_the_first_event_of_a_stream_comes_before_the_engine_has_done_anything() -> None:
    engine = ScriptedEngine(short)
    async with http(engine) as client:
        with engine.paused():
            async with client.stream(
                "POST", "/v1/chat/completions", json=CHAT | {"stream": True}
            ) as response:
                first = await anext(aiter(response.aiter_lines()))
        event = json.loads(first.removeprefix("data: "))
        assert response.headers["content-type"].startswith("text/event-stream")
        assert event["choices"] == [
            {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
        ]


async def test_while_draining_requests_are_refused_and_running_answers_finish() -> None:
    engine = ScriptedEngine(short)
    async with (
        serving(loaded(FORMAT, engine)) as (service, url),
        http_client(url) as client,
    ):
        with engine.paused():
            answer = asyncio.create_task(client.post("/v1/chat/completions", json=CHAT))
            await until(lambda: service.running == 1)
            waiting = asyncio.create_task(client.post("/v1/chat/completions", json=CHAT))
            await until(lambda: service.waiting == 1)
            draining = asyncio.create_task(service.drain(30))
            assert (await waiting).status_code == 503
            assert (await client.get("/health")).json()["status"] == "draining"
            refused = await client.post("/v1/chat/completions", json=CHAT)
            assert refused.status_code == 503
            assert "draining" in refused.json()["error"]["message"]
        assert (await answer).json()["choices"][0]["finish_reason"] == "stop"
        await draining


async def test_a_stream_ends_with_done() -> None:
    async with http(ScriptedEngine(short)) as client:
        response = await client.post("/v1/chat/completions", json=CHAT | {"stream": True})
        assert response.text.endswith("data: [DONE]\n\n")


async def test_tokenize_speaks_vllms_dialect_and_counts_what_the_prompt_is() -> None:
    async with http(ScriptedEngine(short, context=512)) as client:
        answer = (await client.post("/tokenize", json={"messages": MESSAGES})).json()
        completion = (await client.post("/v1/chat/completions", json=CHAT)).json()
    assert answer["tokens"] == FORMAT.render(MESSAGES)
    assert answer["count"] == len(answer["tokens"]) == completion["usage"]["prompt_tokens"]
    assert answer["max_model_len"] == 512


async def test_messages_that_the_template_refuses_are_the_clients_error() -> None:
    mistral = ChatFormat(sentencepiece_tokenizer())  # its turns must alternate
    async with (
        serving(loaded(mistral, ScriptedEngine(short))) as (_, url),
        http_client(url) as client,
    ):
        response = await client.post("/tokenize", json={"messages": MESSAGES * 2})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "messages"
    assert "must alternate" in response.json()["error"]["message"]


class SlowFormat(ChatFormat):
    """Makes no prompt before it may."""

    def __init__(self) -> None:
        super().__init__(chatml_tokenizer(SMOLLM2_TEMPLATE))
        self.may_go_on = threading.Event()
        self.begun = threading.Semaphore(0)
        self.rendered = 0

    def render(self, *args: Any, **options: Any) -> list[int]:
        self.begun.release()
        assert self.may_go_on.wait(10)
        self.rendered += 1
        return super().render(*args, **options)


async def test_requests_whose_prompts_are_not_made_yet_count_as_waiting() -> None:
    slow = SlowFormat()
    async with (
        serving(loaded(slow, ScriptedEngine(short)), queue_limit=2) as (_, url),
        http_client(url) as client,
        asyncio.TaskGroup() as asking,
    ):
        chats = [
            asking.create_task(client.post("/v1/chat/completions", json=CHAT)) for _ in range(4)
        ]
        await asyncio.wait(chats, return_when=asyncio.FIRST_COMPLETED)
        slow.may_go_on.set()
        statuses = sorted([(await chat).status_code for chat in chats])
        assert statuses == [200, 200, 200, 429]  # one in the slot, two that wait


async def test_a_client_that_leaves_costs_no_more_work_on_its_prompt() -> None:
    slow = SlowFormat()
    async with (
        serving(loaded(slow, ScriptedEngine(short))) as (service, url),
        http_client(url) as client,
        http_client(url) as leaving,
        asyncio.TaskGroup() as asking,
    ):
        first = asking.create_task(client.post("/v1/chat/completions", json=CHAT))
        await asyncio.to_thread(slow.begun.acquire, timeout=HANG_SECONDS)
        second = asking.create_task(leaving.post("/v1/chat/completions", json=CHAT))
        await until(lambda: service._renderer.pending == 2)
        second.cancel()
        await until(lambda: service._renderer.pending == 1)
        slow.may_go_on.set()
        assert (await first).status_code == 200
        assert slow.rendered == 1


async def test_metrics_have_vllms_names_and_count_what_happened() -> None:
    engine = ScriptedEngine(short)
    async with http(engine) as client:
        await client.post("/v1/chat/completions", json=CHAT)
        await client.post("/v1/chat/completions", json=CHAT | {"temperature": -1})
        text = (await client.get("/metrics")).text
    label = 'model_name="tiny"'
    tokens = float(len(short(Sequence([]))))
    prompt = float(len(FORMAT.render(MESSAGES)))
    for line in (
        f"vllm:num_requests_running{{{label}}} 0.0",
        f"vllm:num_requests_waiting{{{label}}} 0.0",
        f"vllm:prompt_tokens_total{{{label}}} {prompt}",
        f"vllm:generation_tokens_total{{{label}}} {tokens}",
        f"vllm:prefix_cache_queries_total{{{label}}} {prompt}",
        f"vllm:prefix_cache_hits_total{{{label}}} 0.0",
        f'vllm:request_success_total{{finished_reason="stop",{label}}} 1.0',
        f"vllm:time_to_first_token_seconds_count{{{label}}} 1.0",
        f"vllm:inter_token_latency_seconds_count{{{label}}} {tokens - 1}",
        f"bot_engine_sequences{{{label}}} 0.0",
        f"vllm:request_time_per_output_token_seconds_count{{{label}}} 1.0",
        f'bot_requests_refused_total{{{label},status="400"}} 1.0',
    ):
        assert line in text


async def test_tokens_are_counted_as_they_come() -> None:
    engine = ScriptedEngine(endless)
    async with http(engine) as client:
        async with client.stream("POST", "/v1/chat/completions", json=CHAT | {"stream": True}):
            await until(lambda: len(engine.steps) > 5)
            with engine.paused():
                await asyncio.to_thread(engine.wait_for_step)
                text = (await client.get("/metrics")).text
        await until(lambda: not engine.running)
    assert 'vllm:time_to_first_token_seconds_count{model_name="tiny"} 1.0' in text
    assert 'vllm:generation_tokens_total{model_name="tiny"} 0.0' not in text
    assert 'bot_engine_sequences{model_name="tiny"} 1.0' in text
    assert "vllm:request_success_total{" not in text


async def test_cancelled_requests_are_counted_as_aborted() -> None:
    engine = ScriptedEngine(endless)
    async with http(engine) as client:
        async with client.stream("POST", "/v1/chat/completions", json=CHAT | {"stream": True}):
            pass
        await until(lambda: not engine.running)
        text = (await client.get("/metrics")).text
    assert 'vllm:request_success_total{finished_reason="abort",model_name="tiny"} 1.0' in text


async def test_requests_past_their_deadline_are_counted_as_errors_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with http(ScriptedEngine(endless), deadline_seconds=0.05) as client:
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 504
        text = (await client.get("/metrics")).text
    assert 'vllm:request_success_total{finished_reason="error",model_name="tiny"} 1.0' in text
    assert 'status="504"' not in text
    (line,) = [line for line in caplog.text.splitlines() if "request_id" in line]
    assert "request ended" in line


async def test_unknown_paths_and_methods_are_refused_in_openais_form() -> None:
    async with http(ScriptedEngine(short)) as client:
        unknown = await client.get("/v1/nothing")
        assert unknown.status_code == 404
        assert unknown.json()["error"]["message"] == "Not Found."
        wrong = await client.get("/v1/chat/completions")
        assert wrong.json()["error"]["message"] == "Method Not Allowed."
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


async def test_a_refusal_is_one_line_of_the_log_without_what_was_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with http(ScriptedEngine(short)) as client:
        headers = {"X-Request-Id": "mine", "baggage": "the-secret", "X-Other": "the-secret"}
        body = CHAT | {"repetition_penalty": 1e-300, "user": "the-secret"}
        response = await client.post("/v1/chat/completions", json=body, headers=headers)
    assert response.status_code == 400
    (line,) = [line for line in caplog.text.splitlines() if "request refused" in line]
    assert "request_id" in line
    assert "mine" in line
    assert "the-secret" not in caplog.text


async def test_a_body_that_is_no_json_object_is_refused() -> None:
    async with http(ScriptedEngine(short)) as client:
        for body, kind in [(b"[]", "application/json"), (b"a=b", "text/plain"), (b"", "")]:
            response = await client.post(
                "/v1/chat/completions", content=body, headers={"Content-Type": kind}
            )
            assert response.status_code == 400
            assert response.json()["error"]["type"] == "invalid_request_error"


async def test_a_huge_body_is_refused_without_reading_all_of_it() -> None:
    async with http(ScriptedEngine(short)) as client:
        response = await client.post(
            "/tokenize",
            content=b" " * (gate.MAX_BODY_BYTES + 1),
            headers={"Content-Type": "application/json"},
        )
    assert response.status_code == 413
    assert str(gate.MAX_BODY_BYTES) in response.json()["error"]["message"]


async def test_a_client_that_sends_headers_only_is_refused_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "BODY_SECONDS", 0.05)
    async with http(ScriptedEngine(short)) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        writer.write(
            b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        assert b" 408 " in await reader.readline()
        writer.close()


async def test_a_mistake_of_ours_is_a_500_without_details(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(service: Service) -> dict[str, Any]:
        raise KeyError("secret")

    monkeypatch.setattr(Service, "health", broken)
    async with http(ScriptedEngine(short)) as client:
        response = await client.get("/health")
    assert response.status_code == 500
    assert "secret" not in response.text


async def test_the_engine_is_told_the_salt_of_a_requests_cache() -> None:
    engine = ScriptedEngine(short)
    async with http(engine) as client:
        for salt in ({"cache_salt": "mine"}, {}):
            body = CHAT | salt
            assert (await client.post("/v1/chat/completions", json=body)).status_code == 200
        empty = await client.post("/v1/chat/completions", json=CHAT | {"cache_salt": ""})
    assert [sequence.cache_salt for sequence in engine.admitted] == ["mine", None]
    assert empty.json()["error"]["param"] == "cache_salt"


async def test_the_one_model_is_shown_by_its_name_too() -> None:
    async with http(ScriptedEngine(short)) as client:
        listed = (await client.get("/v1/models")).json()["data"][0]
        assert (await client.get(f"/v1/models/{listed['id']}")).json() == listed
        other = await client.get("/v1/models/openai/gpt-oss-20b")
    assert (other.status_code, other.json()["error"]["code"]) == (404, "model_not_found")


async def test_embeddings_are_refused_with_a_reason() -> None:
    async with http(ScriptedEngine(short)) as client:
        body = {"model": "tiny", "input": "Hi"}
        refused = await client.post("/v1/embeddings", json=body)
    assert refused.status_code == 404
    assert "There are no embeddings here" in refused.json()["error"]["message"]


async def test_a_schema_that_can_not_be_kept_is_refused_by_name() -> None:
    engine = ScriptedEngine(short)
    schema = {"name": "tide", "schema": {"not": {}}}
    async with http(engine) as client:
        form = {"type": "json_schema", "json_schema": schema}
        refused = await client.post("/v1/chat/completions", json=CHAT | {"response_format": form})
    assert refused.json()["error"]["param"] == "response_format"
    assert "can't be held to this schema" in refused.json()["error"]["message"]
