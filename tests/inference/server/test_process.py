"""`bot serve` as a process of its own, with a real though tiny and random model."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import httpx2
import openai
from openai import AsyncOpenAI

from bot.exit_code import ExitCode
from bot.inference.server.process import DRAIN_SECONDS
from tests.inference.tiny_model import save_tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_tiny_model(folder, context=100_000)
    return folder


def command(tmp_path: Path, **inference: object) -> list[str]:
    lines = "".join(f"  {key}: {value}\n" for key, value in inference.items())
    config = tmp_path / "bot.yaml"
    config.write_text(f"inference:\n{lines}", encoding="utf-8")
    return [sys.executable, "-m", "bot", "serve", "--config", str(config)]


@asynccontextmanager
async def serve(
    tmp_path: Path, model: Path, *, ready: bool = True, **inference: object
) -> AsyncIterator[tuple[Process, AsyncOpenAI]]:
    """A supervised `bot serve` and a client; it must end by itself when its stdin closes."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(
        *command(tmp_path, model=model, listen=listen, device="cpu", **inference),
        stdin=PIPE,
        stderr=DEVNULL,
        env=os.environ | {"BOT_SUPERVISED": "1"},
    )
    url = f"http://{listen}"
    try:
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
            await until_health(url, 200 if ready else 503)
            yield process, client
    finally:
        assert process.stdin
        process.stdin.close()
        async with asyncio.timeout(30):
            await process.wait()


async def until_health(url: str, status: int) -> dict[str, Any]:
    async with asyncio.timeout(120), httpx2.AsyncClient(trust_env=False) as client:
        while True:
            try:
                response = await client.get(f"{url}/health")
                if response.status_code == status:
                    body: dict[str, Any] = response.json()
                    return body
            except httpx2.ConnectError:
                pass
            await asyncio.sleep(0.05)


def ask(client: AsyncOpenAI, model: Path, **options: Any) -> Any:
    messages: list[Any] = [{"role": "user", "content": "Why is the sky blue? " * 20}]
    return client.chat.completions.create(model=str(model), messages=messages, **options)


async def test_a_real_model_answers_reuses_prefixes_survives_cancels_and_drains_on_sigterm(
    tmp_path: Path, model: Path
) -> None:
    async with serve(tmp_path, model, queue_limit=50) as (process, client):
        first = await ask(client, model, max_tokens=5, seed=1)
        again = await ask(client, model, max_tokens=5, seed=1)
        assert again.choices[0].message.content == first.choices[0].message.content
        assert first.usage.prompt_tokens_details.cached_tokens == 0
        assert again.usage.prompt_tokens_details.cached_tokens > 100

        async def cancelled_after(chunks: int) -> None:
            stream = await ask(client, model, stream=True)
            async for _ in stream:
                chunks -= 1
                if chunks < 0:
                    break
            await stream.close()

        await asyncio.gather(*(cancelled_after(number % 5) for number in range(20)))
        url = str(client.base_url).removesuffix("/v1/")
        async with asyncio.timeout(10):
            while (await until_health(url, 200))["running"]:
                pass

        answering = await ask(client, model, stream=True, max_tokens=100, temperature=0)
        await anext(aiter(answering))
        process.terminate()
        reasons = [c.choices[0].finish_reason async for c in answering if c.choices]
        assert reasons[-1] == "length"  # greedy, this model never ends its turn
        assert await process.wait() == ExitCode.OK


async def test_a_service_whose_supervisor_is_gone_ends_even_while_it_loads(
    tmp_path: Path, model: Path
) -> None:
    async with serve(tmp_path, model, ready=False) as (process, _):
        assert process.stdin
        process.stdin.close()
        async with asyncio.timeout(30):
            assert await process.wait() == ExitCode.OK


async def test_a_second_signal_ends_the_answers_that_the_first_one_lets_finish(
    tmp_path: Path, model: Path
) -> None:
    async with serve(tmp_path, model) as (process, client):
        answering = await ask(client, model, stream=True, max_tokens=90_000, temperature=0)
        await anext(aiter(answering))
        began = asyncio.get_running_loop().time()
        process.terminate()
        url = str(client.base_url).removesuffix("/v1/")
        assert (await until_health(url, 503))["status"] == "draining"
        process.send_signal(signal.SIGINT)
        with pytest.raises(openai.APIError) as info:
            async for _ in answering:
                pass
        assert info.value.code == "shutting_down"
        assert await process.wait() == ExitCode.OK
        assert asyncio.get_running_loop().time() - began < DRAIN_SECONDS


@pytest.mark.parametrize(
    ("inference", "line"),
    [
        (
            {"listen": "0.0.0.0:0"},
            "inference.listen is 0.0.0.0:0, which others can reach: set inference.api_key too,"
            " or listen on 127.0.0.1.",
        ),
        ({"model": "/nowhere/at/all", "listen": "127.0.0.1:0"}, "/nowhere/at/all"),
    ],
)
def test_what_can_not_be_served_ends_the_process_with_one_line(
    tmp_path: Path, inference: dict[str, str], line: str
) -> None:
    process = subprocess.run(
        command(tmp_path, **inference), capture_output=True, text=True, timeout=60, check=False
    )
    assert process.returncode == ExitCode.UNUSABLE
    assert line in process.stderr
    assert "Traceback" not in process.stderr
