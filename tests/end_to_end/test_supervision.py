"""`bot chat` with the `bot serve` that it starts, and a real though tiny and random model."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from bot.exit_code import ExitCode
from tests.end_to_end.processes import (
    at_terminal,
    gone,
    piped,
    service_of,
    url_of,
    write_greedy_config,
)
from tests.http_client import http_client
from tests.inference.openai_client import openai_client
from tests.inference.tiny_model import save_tiny_model
from tests.waiting import HANG_SECONDS

ENDLESS = 100_000
"""Tokens: as long as the context allows, which takes the tiny model many seconds."""
TEXT = r"\n{9}"
"""All that the tiny model has to say: greedy, it repeats its prompt's last token for ever."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_tiny_model(folder, context=ENDLESS)
    return folder


async def until_waiting(url: str) -> None:
    """Return when a request waits in the service's queue."""
    async with (
        asyncio.timeout(HANG_SECONDS),
        http_client() as client,
    ):
        while not (await client.get(f"{url}/health")).json()["waiting"]:
            pass


async def test_the_conversation_survives_the_death_of_the_service(
    tmp_path: Path, model: Path
) -> None:
    config = write_greedy_config(tmp_path, model, ENDLESS)
    async with piped(config) as bot:
        bot.type("One?\n")
        await bot.err.see(r"model ready \(loading\)")
        await bot.out.see(TEXT)
        first = service_of(bot)

        os.kill(first, signal.SIGKILL)
        await bot.err.see("The answer was cut off")
        bot.type("/effort medium\n")
        await bot.out.see("Effort")
        bot.type("Two?\n")
        await bot.out.see(TEXT)
        second = service_of(bot)
        assert second != first
        bot.process.send_signal(signal.SIGINT)
        await bot.err.see("Stopped")

        # One that waits in the queue, behind a request of this test, has produced nothing.
        url = url_of(second)
        bot.type("/effort low\n")
        await bot.out.see("Effort")
        async with openai_client(url) as client:
            messages: Any = [{"role": "user", "content": "Hi"}]
            stream = await client.chat.completions.create(
                model=str(model), messages=messages, stream=True, temperature=0
            )
            await anext(aiter(stream))
            bot.type("Three?\n")
            await until_waiting(url)
            # While the bot runs, not even a broken file may keep the service from coming back.
            good = config.read_text(encoding="utf-8")
            config.write_text("nonsense: 1\n", encoding="utf-8")
            os.kill(second, signal.SIGKILL)
            await bot.err.see("trying again")
            await bot.err.see("bot.yaml:1.*nonsense")
            config.write_text(good, encoding="utf-8")
        await bot.err.see("length limit")
        third = service_of(bot)

        bot.process.terminate()
        assert await bot.exit_code() == ExitCode.FAILURE  # for the answer that was cut off
        await gone(third)
    assert "Traceback" not in bot.err.text


async def test_who_connects_while_the_service_restarts_is_served_once_it_is_back(
    tmp_path: Path, model: Path
) -> None:
    async with piped(write_greedy_config(tmp_path, model, ENDLESS)) as bot:
        bot.type("One?\n")
        await bot.out.see(TEXT)
        service = service_of(bot)
        url = url_of(service)
        os.kill(service, signal.SIGKILL)
        await gone(service)
        async with http_client() as client:
            assert (await client.get(f"{url}/health")).json()["status"] != "failed"


async def test_ctrl_c_stops_an_answer_and_leaves_but_never_hits_the_service(
    tmp_path: Path, model: Path
) -> None:
    async with at_terminal(write_greedy_config(tmp_path, model, ENDLESS)) as (bot, _):
        await bot.out.see(r"you ?$")
        service = service_of(bot)
        bot.type("One?\r")
        await bot.out.see("bot " + TEXT)
        bot.type("\x03")
        await bot.out.see(r"Stopped\.")
        await bot.out.see(r"you ?$")
        bot.type("Two?\r")
        await bot.out.see("bot " + TEXT)
        assert service_of(bot) == service
        bot.type("\x03")
        await bot.out.see(r"Stopped\.")
        bot.type("\x03")
        assert await bot.exit_code() == ExitCode.OK
        await gone(service)


async def test_no_service_outlives_a_bot_that_was_killed(tmp_path: Path, model: Path) -> None:
    async with piped(write_greedy_config(tmp_path, model, ENDLESS)) as bot:
        bot.type("One?\n")
        await bot.err.see("model ready")
        service = service_of(bot)
        bot.process.kill()
        await gone(service)


async def test_a_model_that_can_not_be_had_ends_the_bot_with_one_clear_line(
    tmp_path: Path,
) -> None:
    config = write_greedy_config(tmp_path, "/nowhere/at/all", ENDLESS)
    async with piped(config) as bot, at_terminal(config) as (typed, _):
        bot.type("Hi\n")
        assert await bot.exit_code() == ExitCode.UNUSABLE
        assert await typed.exit_code() == ExitCode.UNUSABLE
    for text in (bot.err.text, typed.out.text):
        assert text.count("the folder /nowhere/at/all holds no model") == 1
        assert "Traceback" not in text
    assert bot.out.text == ""
