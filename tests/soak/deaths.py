"""Processes that die: killed, broken, or told to end."""

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import openai
import pytest

from bot.exit_code import ExitCode
from tests.end_to_end.processes import Bot, gone, service_of
from tests.soak.chat import (
    LONG,
    answered,
    ask,
    chat,
    engine_taken,
    is_loading,
    is_reading,
    is_waiting,
    is_writing,
    service_started,
)
from tests.soak.drill import Drill, Outcome, Scale
from tests.soak.service import service


async def strike(bot: Bot, fault: int, when: Callable[[Bot], Awaitable[None]]) -> None:
    """Send the service a signal that ends it when it is so far; wait for the next one's process."""
    await when(bot)
    struck = service_of(bot)
    os.kill(struck, fault)
    await gone(struck)
    await service_started(bot)


async def killed(folder: Path, scale: Scale) -> Outcome:
    async with chat(folder) as bot:
        await ask(bot, LONG)
        for when in (service_started, is_loading, is_reading):
            await strike(bot, signal.SIGKILL, when)
        await answered(bot)
        async with engine_taken(bot, folder):
            await ask(bot, "Two?")
            await strike(bot, signal.SIGKILL, is_waiting)
        await answered(bot)
        await ask(bot, "Three?")
        await strike(bot, signal.SIGKILL, is_writing)
        await bot.err.see("cut off")
    return Outcome(5, "four asked again and answered, one cut off and marked")


async def engine_broken(folder: Path, scale: Scale) -> Outcome:
    async with chat(folder) as bot:
        await ask(bot, LONG)
        await strike(bot, signal.SIGUSR1, is_reading)
        await answered(bot)
        await ask(bot, "Two?")
        await strike(bot, signal.SIGUSR1, is_writing)
        await bot.err.see("cut off")
    return Outcome(2, "one asked again and answered, one cut off and marked")


async def terminated(folder: Path, scale: Scale) -> Outcome:
    async with service(folder) as it:
        running = await it.ask(tokens=2000, stream=True)
        await anext(aiter(running))
        waiting = [await it.ask(stream=True) for _ in range(3)]
        await it.until(waiting=3)
        it.process.terminate()
        for stream in waiting:
            with pytest.raises(openai.APIError) as refusal:
                _ = [chunk async for chunk in stream]
            assert refusal.value.code == "shutting_down"
        reasons = [chunk.choices[0].finish_reason async for chunk in running if chunk.choices]
        assert reasons[-1] == "length"
        assert await it.process.wait() == ExitCode.OK
    return Outcome(1, "the answer came whole; three that waited were refused; exit code 0")


async def bot_killed(folder: Path, scale: Scale) -> Outcome:
    async with chat(folder) as bot:
        await ask(bot, "One?")
        await is_writing(bot)
        child = service_of(bot)
        bot.process.kill()
        await bot.process.wait()
        await gone(child)
    return Outcome(1, "its service ended too")


DRILLS = [
    Drill(
        "kill -9 of the service: starting, loading, prefill, queued, decode",
        "a question without text is asked again; an answer keeps its text and says it was cut off",
        killed,
    ),
    Drill(
        "a CUDA error raised in a step: prefill, decode",
        "the service ends and is started anew; questions fare as with kill -9",
        engine_broken,
    ),
    Drill(
        "SIGTERM of the service in mid-answer, while others wait",
        "the answer comes whole; those that wait are told to come back; exit code 0",
        terminated,
    ),
    Drill("kill -9 of the bot in mid-answer", "no process is left behind", bot_killed),
]
