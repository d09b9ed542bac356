"""Secrets and what people say are nowhere that an operator, or somebody else, could read them."""

import json
import socket
from pathlib import Path

import httpx2
import pytest

from bot.exit_code import ExitCode
from tests.doubles.discord import DiscordDouble
from tests.doubles.inference import Error, Fail, Raw, Say, ScriptedInference
from tests.end_to_end.processes import converse, piped, write_config
from tests.waiting import HANG_SECONDS

KEY = "sesame-key"


async def test_neither_log_metrics_status_nor_errors_show_a_secret_of_the_bot(
    tmp_path: Path,
) -> None:
    """With the log at its most talkative, and a server whose errors quote key and prompt."""
    discord = DiscordDouble()
    with socket.create_server(("127.0.0.1", 0)) as free:
        metrics = f"127.0.0.1:{free.getsockname()[1]}"
    quoting = f"Incorrect API key provided: {KEY} for 'walrus'"
    async with discord.running(), ScriptedInference().running() as inference:
        inference.api_key = KEY
        general = discord.guild("Home").channel("general")
        ann = general.guild.member("Ann")
        config = write_config(
            tmp_path,
            discord={"token": discord.token, "api_url": discord.api_url},
            inference={"url": inference.url, "model": "scripted", "api_key": KEY},
            metrics={"listen": metrics},
        )
        async with piped(config, command="run", BOT_LOG_LEVEL="debug") as bot:
            await bot.err.see("discord is connected")
            for script in (
                [Error(500, message=quoting)],
                [Error(401, message=quoting)],
                [Say("It is"), Fail("400", quoting)],
                [Say("It is"), Raw('{"choices": [7]}')],
            ):
                inference.script(*script)
                ann.say(general, "@bot a walrus?")
                await bot.err.see("answer ended")
            asked = ann.say(general, "@bot /status")
            await discord.until(lambda: asked.replies)
            async with httpx2.AsyncClient(trust_env=False, timeout=HANG_SECONDS) as client:
                shown = (await client.get(f"http://{metrics}/metrics")).text
            bot.process.terminate()
            assert await bot.exit_code() == ExitCode.OK
        answers = "".join(message.text for message in general.from_bot)
        log = bot.err.text
    assert 'outcome="failed"' in shown
    assert "an event that isn't a chunk" in log
    assert "Model: scripted" in answers
    for secret in (KEY, discord.token, "walrus"):
        assert secret not in log + shown + answers


async def test_neither_log_metrics_health_nor_errors_show_a_secret_of_the_service(
    tmp_path: Path,
) -> None:
    pytest.importorskip("torch")
    from tests.inference.tiny_model import save_tiny_model

    save_tiny_model(tmp_path / "tiny")
    inference = {"model": str(tmp_path / "tiny"), "device": "cpu", "listen": "127.0.0.1:0"}
    config = write_config(tmp_path, inference=inference | {"api_key": KEY})
    seen = []
    async with piped(config, command="serve", BOT_LOG_LEVEL="debug") as service:
        url = json.loads((await service.err.see(r'"url".*"listening".*')).splitlines()[-1])["url"]
        await service.err.see('"ready"')
        root = url.removesuffix("/v1")
        async with httpx2.AsyncClient(trust_env=False, timeout=HANG_SECONDS) as client:
            right = {"Authorization": f"Bearer {KEY}"}
            for headers in (right, {"Authorization": f"Bearer {KEY}-not"}):
                for body in (
                    b'{"messages": [{"role": "user", "content": "walrus',
                    b'{"messages": [{"role": "walrus", "content": "walrus"}]}',
                    b'{"messages": [{"role": "user", "content": ["walrus"]}], "walrus": 1}',
                    b'{"model": "walrus", "messages": [], "user": ["walrus"]}',
                ):
                    refused = await client.post(
                        f"{url}/chat/completions",
                        content=body,
                        headers={**headers, "Content-Type": "application/json"},
                    )
                    assert refused.is_client_error
                    seen.append(refused)
            messages = [{"role": "user", "content": "walrus"}]
            asked = {"model": inference["model"], "messages": messages, "max_tokens": 4}
            answered = await client.post(f"{url}/chat/completions", json=asked, headers=right)
            assert answered.is_success, answered.text
            await service.err.see("request ended")
            for path in ("/health", "/metrics", "/openapi.json", "/nowhere"):
                seen.append(await client.get(f"{root}{path}?key={KEY}", headers=right))
        service.process.terminate()
        assert await service.exit_code() == ExitCode.OK
    shown = "".join(f"{response.headers}{response.text}" for response in seen)
    for secret in (KEY, "walrus"):
        assert secret not in shown
        assert secret not in service.err.text


@pytest.mark.parametrize(
    "sections",
    [
        {"storage": {"url": "postgresql+asyncpg://bot:sesame@127.0.0.1:1/bot"}},
        {
            "inference": {
                "url": "http://bot:sesame@127.0.0.1:1/v1",
                "request_timeout_seconds": 0.1,
            }
        },
    ],
    ids=["database", "server"],
)
async def test_an_address_that_can_not_be_reached_is_told_without_its_password(
    tmp_path: Path, sections: dict[str, dict[str, object]]
) -> None:
    pytest.importorskip("asyncpg")
    config = write_config(tmp_path, **{"inference": {"url": "http://127.0.0.1:1"}} | sections)
    bot, code = await converse(config, "Hi\n", BOT_LOG_LEVEL="debug")
    assert code != ExitCode.OK
    assert bot.err.text
    assert "sesame" not in bot.err.text + bot.out.text
