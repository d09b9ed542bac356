"""Faults: processes that die, hang or find their disk full, and clients that misbehave."""

import asyncio
import os
import resource
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
from openai import AsyncOpenAI

from tests.doubles.inference import Say, ScriptedInference
from tests.end_to_end.processes import Bot, children, converse, gone, piped, write_config
from tests.inference.processes import until_health
from tests.inference.tiny_model import save_tiny_model
from tests.soak.drill import Drill, Outcome, Scale
from tests.soak.load import Service, service

LONG = "Why is the sky blue? " * 3000
"""Takes the tiny model a second or more to read."""


def chat_config(folder: Path) -> Path:
    save_tiny_model(folder / "tiny", context=100_000)
    return write_config(
        folder,
        inference={"model": str(folder / "tiny"), "device": "cpu"},
        personas={"greedy": {"prompt": "Go on.", "sampling": {"temperature": 0}}},
        defaults={"persona": "greedy"},
        efforts={"medium": {"max_tokens": 2000}},
    )


def service_of(bot: Bot) -> int:
    (pid,) = children(bot.process.pid)
    return pid


async def is_started(bot: Bot) -> None:
    async with asyncio.timeout(30):
        while not children(bot.process.pid):  # noqa: ASYNC110 (another process: no event)
            await asyncio.sleep(0.01)


async def is_loading(bot: Bot) -> None:
    await bot.err.see("made ready")


async def is_reading(bot: Bot) -> None:
    """The prompt is being read: a request runs and no text has come."""
    await bot.err.see("made ready")
    url = _url_of(service_of(bot))
    while not (await until_health(url, 200))["running"]:
        pass


async def is_waiting(bot: Bot) -> None:
    """Another client has the engine, and the question waits."""
    await bot.err.see("made ready")
    url = _url_of(service_of(bot))
    while not (await until_health(url, 200))["waiting"]:
        pass


async def is_writing(bot: Bot) -> None:
    await bot.out.see(r"\n")


def _url_of(pid: int) -> str:
    arguments = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")
    return f"http://{arguments[arguments.index('--listen') + 1]}"


STAGES: dict[str, Callable[[Bot], Awaitable[None]]] = {
    "starting": is_started,
    "loading": is_loading,
    "prefill": is_reading,
    "decode": is_writing,
}


async def killed(folder: Path, scale: Scale) -> Outcome:
    """The service is killed at each stage; the question, or the next one, is answered."""
    times = 0
    for stage, reached in STAGES.items():
        place = folder / stage
        place.mkdir()
        async with piped(chat_config(place)) as bot:
            await is_started(bot)
            first = service_of(bot)
            bot.type(LONG.strip() + "\n" if stage == "prefill" else "One?\n")
            await reached(bot)
            os.kill(first, signal.SIGKILL)
            await gone(first)
            bot.type("Two?\n")
            assert bot.process.stdin
            bot.process.stdin.close()
            code = await bot.exit_code()
            answers = bot.err.text.count("length limit") + bot.out.text.count("length limit")
            assert answers == (1 if stage == "decode" else 2), (stage, bot.err.text[-500:])
            assert code == (1 if stage == "decode" else 0), stage
            assert ("cut off" in bot.err.text) == (stage == "decode"), stage
        times += 1
    return Outcome(times, "asked again by itself; in mid-answer what had come stayed, marked")


async def killed_while_others_wait(folder: Path, scale: Scale) -> Outcome:
    async with piped(chat_config(folder)) as bot:
        await is_started(bot)
        first = service_of(bot)
        url = _url_of(first)
        await until_health(url, 200)
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as other:
            messages: list[Any] = [{"role": "user", "content": "On and on"}]
            model = str(folder / "tiny")
            stream = await other.chat.completions.create(
                model=model, messages=messages, stream=True, max_tokens=90_000, temperature=0
            )
            async for _ in stream:
                break
            bot.type("One?\n")
            await is_waiting(bot)
            os.kill(first, signal.SIGKILL)
        assert bot.process.stdin
        bot.process.stdin.close()
        assert await bot.exit_code() == 0
        assert "length limit" in bot.err.text + bot.out.text
    return Outcome(1, "the waiting question was asked again by itself and answered")


async def paused(folder: Path, scale: Scale) -> Outcome:
    seconds = min(30.0, scale.minutes * 6)
    async with piped(chat_config(folder)) as bot:
        bot.type("One?\n")
        await bot.out.see(r"\n")
        os.kill(service_of(bot), signal.SIGSTOP)
        await asyncio.sleep(seconds)  # the fault itself
        os.kill(service_of(bot), signal.SIGCONT)
        assert bot.process.stdin
        bot.process.stdin.close()
        assert await bot.exit_code() == 0
        assert "length limit" in bot.err.text + bot.out.text
    return Outcome(1, f"after {seconds:.0f} s the answer went on to its end")


async def disk_full(folder: Path, scale: Scale) -> Outcome:
    """No file of the bot may grow any more."""
    async with ScriptedInference().running() as inference:
        inference.default = [Say("Still here.")]
        config = write_config(folder, inference={"url": inference.url, "model": "scripted"})
        async with piped(config) as bot:
            bot.type("/effort low\n")
            await bot.out.see("Effort is now")
            process = psutil.Process(bot.process.pid)
            process.rlimit(resource.RLIMIT_FSIZE, (1, 1))
            bot.type("/effort high\n")
            await bot.out.see("stor")
            bot.type("Hi\n")
            await bot.out.see("Still here")
            process.rlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
            bot.type("/effort high\n")
            await bot.out.see("Effort is now")
            assert bot.process.stdin
            bot.process.stdin.close()
            assert await bot.exit_code() == 0
        assert "Traceback" not in bot.err.text
    return Outcome(1, "answered on; settings said that they could not be kept; well again after")


async def corrupt(folder: Path, scale: Scale) -> Outcome:
    """Bytes of the model, the database and the configuration are overwritten."""
    config = chat_config(folder)
    (folder / "tiny" / "model.safetensors").write_bytes(b"nonsense" * 100)
    bot, code = await converse(config, "Hi\n")
    assert code == 2
    assert "Traceback" not in bot.err.text
    async with ScriptedInference().running() as inference:
        config = write_config(folder, inference={"url": inference.url})
        (folder / "bot.db").write_bytes(b"nonsense" * 1000)
        bot, code = await converse(config, "Hi\n")
        assert code == 2
        assert len(bot.err.text.splitlines()) == 1
        config.write_text("inference: [")
        bot, code = await converse(config, "Hi\n")
        assert code == 2
        assert len(bot.err.text.splitlines()) == 1
    return Outcome(3, "one line each that names the file; exit code 2; nothing overwritten")


async def _raw(it: Service, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = it.client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port, limit=1024)
    writer.write(request)
    return reader, writer


def _post(body: bytes, length: int | None = None) -> bytes:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {length or len(body)}"
    return f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + body


async def bad_clients(folder: Path, scale: Scale) -> Outcome:
    """Headers without a body, one byte a second, a hundred megabytes."""
    async with service(folder) as it:
        await it.ask()
        before = it.memory()
        silent = [await _raw(it, _post(b"", length=100)) for _ in range(scale.times // 5)]
        body = (
            b'{"model": "%s", "stream": true, "max_tokens": 5000, "temperature": 0,'
            b' "messages": [{"role": "user", "content": "Hi"}]}' % it.model.encode()
        )
        slow, slow_writer = await _raw(it, _post(body))
        for _ in range(3):
            await slow.readexactly(1)
        huge, huge_writer = await _raw(it, _post(b"", length=100 << 20))
        refused = asyncio.create_task(huge.readline())
        chunk = b" " * (1 << 20)
        try:
            for _ in range(100):
                huge_writer.write(chunk)
                await huge_writer.drain()
        except ConnectionError:
            pass
        assert b"413" in await refused
        slow_writer.close()
        await it.ask()
        growth = it.memory() / before
        for _, writer in [*silent, (huge, huge_writer)]:
            writer.close()
        await it.idle()
    happened = f"others were answered meanwhile; memory x {growth:.2f}"
    return Outcome(len(silent) + 2, happened, growth <= 1.1)


DRILLS = [
    Drill(
        "kill -9 of the service: starting, loading, prefill, decode",
        "a question without text is asked again; an answer keeps its text and says it was cut off",
        killed,
    ),
    Drill(
        "kill -9 of the service while a question waits in its queue",
        "the question is asked again",
        killed_while_others_wait,
    ),
    Drill("SIGSTOP of the service in mid-answer", "the answer goes on after it", paused),
    Drill(
        "no space for the database",
        "answers go on; what could not be stored is said; no restart needed",
        disk_full,
    ),
    Drill(
        "model file, database and configuration overwritten with nonsense",
        "one line that names it, exit code 2",
        corrupt,
    ),
    Drill(
        "clients that send headers only, read a byte at a time, or send 100 MB",
        "413 for the last; others are served; 1.1 times the memory",
        bad_clients,
    ),
]
