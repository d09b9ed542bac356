"""What an operator sees of one question: metrics, log lines that join, and a trace."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bot.exit_code import ExitCode
from tests.doubles.discord import DiscordDouble
from tests.doubles.inference import ScriptedInference
from tests.end_to_end.processes import converse, piped, write_config


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


async def test_one_id_and_one_trace_lead_from_the_bot_to_its_service(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from tests.inference.tiny_model import save_tiny_model

    save_tiny_model(tmp_path / "tiny")
    config = write_config(
        tmp_path,
        inference={"model": str(tmp_path / "tiny"), "device": "cpu"},
        efforts={"medium": {"max_tokens": 16}},
    )
    collector = Collector()
    async with collector.running() as endpoint:
        bot, code = await converse(
            config, "Walruses?\n", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, BOT_LOG_LEVEL="info"
        )
    assert code == ExitCode.OK
    lines = [json.loads(line) for line in bot.err.text.splitlines() if line.startswith("{")]
    (answer,) = [line for line in lines if line["event"] == "answer ended"]
    (request,) = [line for line in lines if line["event"] == "request ended"]
    assert request["request_id"] == answer["request_id"]
    assert (answer["platform"], answer["outcome"]) == ("console", "done")

    by_name = {span.name.split()[0]: span for span in collector.spans}
    assert by_name["chat"].trace_id == by_name["answer"].trace_id
    assert by_name["chat"].parent_span_id == by_name["answer"].span_id
    assert [event.name for event in by_name["chat"].events] == ["started", "first token"]
    assert not any(b"Walrus" in body for body in collector.bodies)


async def test_prometheus_reads_what_happened_on_each_platform(tmp_path: Path) -> None:
    discord = DiscordDouble()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    async with discord.running(), ScriptedInference().running() as inference:
        guild = discord.guild("Home")
        lounge, ann, ben = guild.channel("lounge"), guild.member("Ann"), guild.member("Ben")
        config = write_config(
            tmp_path,
            discord={"token": discord.token, "api_url": discord.api_url},
            inference={"url": inference.url, "model": "scripted"},
            metrics={"listen": address},
            access={"block": {"users": [str(ben.id)]}},
        )
        async with piped(config, command="run") as bot:
            await bot.err.see("discord is connected")
            refused, asked = ben.say(lounge, "@bot hi"), ann.say(lounge, "@bot hi")
            await bot.err.see("answer ended")
            await discord.until(lambda: refused.replies and asked.replies)
            async with aiohttp.ClientSession() as session:
                text = await (await session.get(f"http://{address}/metrics")).text()
    assert 'bot_answers_total{outcome="done",platform="discord"} 1.0' in text
    assert 'bot_questions_refused_total{platform="discord"} 1.0' in text
    assert 'bot_answer_seconds_count{platform="discord"} 1.0' in text


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
