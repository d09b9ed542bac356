"""`bot chat` with the `bot serve` that it starts and a tiny random model, and what it waits for."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from tests.end_to_end.processes import (
    Bot,
    children,
    gone,
    piped,
    service_of,
    url_of,
    write_greedy_config,
)
from tests.inference.processes import until_health
from tests.inference.tiny_model import save_tiny_model
from tests.waiting import HANG_SECONDS

TOKENS = 500
"""Of an answer: the tiny model takes seconds for them."""
LONG = "Why is the sky blue? " * 2000
"""Takes the tiny model a second or more to read."""
INSIDE = Path(__file__).parent / "inside"


@asynccontextmanager
async def chat(folder: Path) -> AsyncIterator[Bot]:
    """Its processes have `inside`. Afterwards it must end when told to, and the service with it."""
    save_tiny_model(folder / "tiny", context=100_000)
    config = write_greedy_config(folder, folder / "tiny", TOKENS)
    paths = filter(None, [str(INSIDE), os.environ.get("PYTHONPATH")])
    async with piped(config, PYTHONPATH=os.pathsep.join(paths)) as bot:
        await service_started(bot)
        yield bot
        if bot.process.returncode is None:
            service = service_of(bot)
            bot.process.terminate()
            await bot.exit_code()
            await gone(service)
        assert "Traceback" not in bot.err.text


@asynccontextmanager
async def engine_taken(bot: Bot, folder: Path) -> AsyncIterator[None]:
    """Inside, an endless answer to another client has the engine."""
    url = f"{url_of(service_of(bot))}/v1"
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as other:
        messages: Any = [{"role": "user", "content": "On and on"}]
        stream = await other.chat.completions.create(
            model=str(folder / "tiny"), messages=messages, stream=True, temperature=0
        )
        async with stream:
            await anext(aiter(stream))
            yield


async def ask(bot: Bot, question: str) -> None:
    """Ask after a command, whose answer parts what is written from what was written before."""
    bot.type("/effort medium\n")
    await bot.out.see("Effort is now")
    bot.type(f"{question}\n")


async def answered(bot: Bot) -> None:
    """An answer has come whole."""
    await bot.err.see("length limit")


async def service_started(bot: Bot) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while not any(map(_is_service, children(bot.process.pid))):  # noqa: ASYNC110 (no event)
            await asyncio.sleep(0.01)


async def is_loading(bot: Bot) -> None:
    await until_health(url_of(service_of(bot)), 503)


async def is_ready(bot: Bot) -> None:
    await until_health(url_of(service_of(bot)), 200)


async def is_reading(bot: Bot) -> None:
    """The prompt is being read."""
    while not (await until_health(url_of(service_of(bot)), 200))["running"]:
        pass


async def is_waiting(bot: Bot) -> None:
    """Another client has the engine, and the question waits."""
    while not (await until_health(url_of(service_of(bot)), 200))["waiting"]:
        pass


async def is_writing(bot: Bot) -> None:
    await bot.out.see(r"\n{9}")


def _is_service(pid: int) -> bool:
    """Whether a process that was forked is `bot serve` already, and not one that has ended."""
    try:
        return "\0serve\0" in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
