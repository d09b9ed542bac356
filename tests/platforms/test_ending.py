"""A bot ends soon after it is told to, whatever it waits for."""

from pathlib import Path
from typing import Any

import pytest

from bot.exit_code import ExitCode
from tests.doubles.inference import Say
from tests.end_to_end.in_process import in_process
from tests.end_to_end.processes import NOBODY, write_config
from tests.platforms.discord.conftest import Running, running

__all__ = ["running"]

PLATFORMS: dict[str, dict[str, Any]] = {
    "discord": {"discord": {"token": "a.b.c", "api_url": f"{NOBODY}/api/v10"}},
    "slack": {"slack": {"bot_token": "xoxb-1", "app_token": "xapp-1", "api_url": f"{NOBODY}/api/"}},
}


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_start_waits_for_the_platform_and_ends_when_told(
    platform: str, tmp_path: Path
) -> None:
    config = write_config(tmp_path, inference={"url": NOBODY}, **PLATFORMS[platform])
    async with in_process(config) as bot:
        await bot.err.see("can't be reached at .*; trying again")
        bot.stop()
        assert await bot.exit_code() == ExitCode.OK


async def test_an_end_that_can_not_be_shown_does_not_keep_the_bot(running: Running) -> None:
    async with running() as scene:
        scene.script(Say("One two."))
        scene.discord.fail("PATCH", "/messages/", status=503, times=10_000)
        scene.ann.say(scene.general, "@bot hi")
        await scene.bot.err.see(r"out of reach, trying \S*edit again")
        scene.bot.stop()
        assert await scene.bot.exit_code() == ExitCode.OK
