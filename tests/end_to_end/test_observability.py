"""What an operator sees of a question: metrics, log lines that join, a trace; and no secret."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bot.exit_code import ExitCode
from tests.doubles.discord import DiscordDouble
from tests.doubles.inference import Error, Fail, Raw, Say, ScriptedInference
from tests.end_to_end.processes import converse, piped, service_of, url_of, write_config
from tests.http_client import http_client


class Collector:
    """A collector of OpenTelemetry's spans on a real socket."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    @property
    def spans(self) -> list[Any]:
        requests = map(ExportTraceServiceRequest.FromString, self.bodies)
        scopes = [s for r in requests for part in r.resource_spans for s in part.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        application = web.Application()
        application.router.add_post("/v1/traces", self._take)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        return web.Response()


KEY = "sesame-key"
MALFORMED = (
    b'{"messages": [{"role": "user", "content": "walrus',
    b'{"messages": [{"role": "walrus", "content": "walrus"}]}',
    b'{"messages": [{"role": "user", "content": ["walrus"]}], "walrus": 1}',
    b'{"model": "walrus", "messages": [], "user": ["walrus"]}',
)


@dataclass
class Seen:
    """All that an operator, or somebody else, could read of what happened."""

    log: str
    shown: str
    spans: Collector = field(default_factory=Collector)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen_of_the_service(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """A question to `bot chat` and its service, then malformed requests; the log at its fullest."""
    pytest.importorskip("torch")
    from tests.inference.tiny_model import save_tiny_model

    folder, collector = tmp_path_factory.mktemp("watched"), Collector()
    save_tiny_model(folder / "tiny")
    inference = {"model": str(folder / "tiny"), "device": "cpu", "api_key": KEY}
    config = write_config(folder, inference=inference, efforts={"medium": {"max_tokens": 16}})
    shown = []
    async with collector.running() as endpoint:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "BOT_LOG_LEVEL": "debug"}
        async with (
            piped(config, **variables) as bot,
            http_client() as client,
        ):
            bot.type("A walrus?\n")
            await bot.err.see("answer ended")
            root = url_of(service_of(bot))
            right = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
            for headers in (right, right | {"Authorization": f"Bearer {KEY}-not"}):
                for body in MALFORMED:
                    url = f"{root}/v1/chat/completions"
                    refused = await client.post(url, content=body, headers=headers)
                    assert refused.is_client_error
                    shown.append(refused)
            for path in ("/health", "/metrics", "/openapi.json", "/nowhere"):
                shown.append(await client.get(f"{root}{path}?key={KEY}", headers=right))
            assert bot.process.stdin
            bot.process.stdin.close()
            assert await bot.exit_code() == ExitCode.OK
    return Seen(bot.err.text, "".join(f"{got.headers}{got.text}" for got in shown), collector)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen_of_the_bot(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Questions to a server whose errors quote key and prompt; the log at its fullest."""
    discord = DiscordDouble()
    quoting = f"Incorrect API key provided: {KEY} for 'walrus'"
    async with discord.running(), ScriptedInference().running() as inference:
        inference.api_key = KEY
        guild = discord.guild("Home")
        general, ann, ben = guild.channel("general"), guild.member("Ann"), guild.member("Ben")
        config = write_config(
            tmp_path_factory.mktemp("watched"),
            discord={"token": discord.token, "api_url": discord.api_url},
            inference={"url": inference.url, "model": "scripted", "api_key": KEY},
            metrics={"listen": "127.0.0.1:0"},
            access={"block": {"users": [str(ben.id)]}},
        )
        async with piped(config, command="run", BOT_LOG_LEVEL="debug") as bot:
            line = await bot.err.see("metrics can be read.*")
            metrics = line.partition('"address": "')[2].partition('"')[0]
            await bot.err.see("discord is connected")
            for script in (
                [Say("It is.")],
                [Error(500, message=quoting)],
                [Error(401, message=quoting)],
                [Say("It is"), Fail("400", quoting)],
                [Say("It is"), Raw('{"choices": [7]}')],
            ):
                inference.script(*script)
                ann.say(general, "@bot a walrus?")
                await bot.err.see("answer ended")
            refused, asked = ben.say(general, "@bot hi"), ann.say(general, "@bot /status")
            await discord.until(lambda: refused.replies and asked.replies)
            async with http_client() as client:
                shown = (await client.get(f"http://{metrics}/metrics")).text
            bot.process.terminate()
            assert await bot.exit_code() == ExitCode.OK
        shown += "".join(message.text for message in general.from_bot)
        assert discord.token not in bot.err.text + shown
    return Seen(bot.err.text, shown)


def test_one_id_and_one_trace_lead_from_the_bot_to_its_service(
    seen_of_the_service: Seen,
) -> None:
    seen = seen_of_the_service
    lines = [json.loads(line) for line in seen.log.splitlines() if line.startswith("{")]
    (answer,) = [line for line in lines if line["event"] == "answer ended"]
    (request,) = [line for line in lines if line["event"] == "request ended"]
    assert request["request_id"] == answer["request_id"]
    assert (answer["platform"], answer["outcome"]) == ("console", "done")

    by_name = {span.name.split()[0]: span for span in seen.spans.spans}
    assert by_name["chat"].trace_id == by_name["answer"].trace_id
    assert by_name["chat"].parent_span_id == by_name["answer"].span_id
    assert [event.name for event in by_name["chat"].events] == ["started", "first token"]
    assert not any(b"walrus" in body for body in seen.spans.bodies)


def test_prometheus_reads_what_happened_on_each_platform(seen_of_the_bot: Seen) -> None:
    for line in (
        'bot_answers_total{outcome="done",platform="discord"} 1.0',
        'bot_answers_total{outcome="failed",platform="discord"} 4.0',
        'bot_questions_refused_total{platform="discord"} 1.0',
        'bot_answer_seconds_count{platform="discord"} 5.0',
        'bot_first_text_seconds_count{platform="discord"} 3.0',
    ):
        assert line in seen_of_the_bot.shown


def test_neither_log_metrics_status_nor_errors_show_a_secret_of_the_bot(
    seen_of_the_bot: Seen,
) -> None:
    seen = seen_of_the_bot
    assert "an event that isn't a chunk" in seen.log
    assert "Model: scripted" in seen.shown
    for secret in (KEY, "walrus"):
        assert secret not in seen.log + seen.shown


def test_neither_log_metrics_health_nor_errors_show_a_secret_of_the_service(
    seen_of_the_service: Seen,
) -> None:
    for secret in (KEY, "walrus"):
        assert secret not in seen_of_the_service.log + seen_of_the_service.shown


async def test_an_address_for_metrics_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = write_config(
            tmp_path, inference={"url": "http://x.y"}, metrics={"listen": f"127.0.0.1:{port}"}
        )
        bot, code = await converse(config, "Hi\n")
    assert code == ExitCode.FAILURE
    assert "metrics.listen can't be used" in bot.err.text
    assert f"127.0.0.1:{port}" in bot.err.text
    assert "Traceback" not in bot.err.text
