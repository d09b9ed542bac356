"""SIGTERM ends the process soon, in whatever state it and the platforms are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.app import GRACE_SECONDS
from bot.exit_code import ExitCode
from tests.doubles.discord import Channel, DiscordDouble
from tests.doubles.inference import Say, ScriptedInference, Wait
from tests.doubles.slack import Channel as SlackChannel
from tests.doubles.slack import SlackDouble
from tests.end_to_end.processes import NOBODY, Bot, piped, write_config

MOST_SECONDS = GRACE_SECONDS + 5
BUSY_MACHINE_SECONDS = 60.0
"""On top of that, for a machine that does much else."""


@dataclass
class Scene:
    """A bot on both platforms, in its own process, with a question on each."""

    bot: Bot
    discord: DiscordDouble
    slack: SlackDouble
    lounge: Channel
    general: SlackChannel
    inference: ScriptedInference
    platforms: AsyncExitStack
    """Closed, neither platform can be reached any more."""

    def ask(self) -> None:
        self.lounge.guild.member("Ann").say(self.lounge, "@bot hi")
        self.general.workspace.member("Ben").say(self.general, "@bot hi")


@asynccontextmanager
async def running(folder: Path, *, reachable: bool, server: bool) -> AsyncIterator[Scene]:
    discord, slack = DiscordDouble(), SlackDouble()
    async with AsyncExitStack() as platforms, ScriptedInference().running() as inference:
        await platforms.enter_async_context(discord.running())
        await platforms.enter_async_context(slack.running())
        lounge = discord.guild("Home").channel("lounge")
        general = slack.workspace("Work").channel("general")
        tokens = {"bot_token": slack.bot_token, "app_token": slack.app_token}
        sections: dict[str, Any] = {
            "discord": {
                "token": discord.token,
                "api_url": discord.api_url if reachable else f"{NOBODY}/api",
            },
            "slack": tokens | {"api_url": slack.api_url if reachable else f"{NOBODY}/api/"},
            "inference": {"url": inference.url if server else NOBODY, "model": "scripted"},
        }
        config = write_config(folder, **sections)
        async with piped(config, command="run") as bot:
            if reachable:
                await bot.err.see("discord is connected")
                await slack.connected()
            yield Scene(bot, discord, slack, lounge, general, inference, platforms)


async def ends(scene: Scene) -> None:
    scene.bot.stop()
    async with asyncio.timeout(MOST_SECONDS + BUSY_MACHINE_SECONDS):
        assert await scene.bot.exit_code() == ExitCode.OK


async def test_while_a_start_waits_for_both_platforms(tmp_path: Path) -> None:
    async with running(tmp_path, reachable=False, server=True) as scene:
        await scene.bot.err.see("Discord can't be reached at .*; trying again")
        await scene.bot.err.see("Slack can't be reached at .*; trying again")
        await ends(scene)


@pytest.mark.slow
@pytest.mark.parametrize("state", ["platforms lost", "server unusable", "calls tried again"])
async def test_while_answers_are_on_their_way(tmp_path: Path, state: str) -> None:
    async with running(tmp_path, reachable=True, server=state != "server unusable") as scene:
        if state == "platforms lost":
            scene.inference.default = [Say("One "), Wait(asyncio.Event())]
        if state == "calls tried again":
            scene.discord.fail("PATCH", "/messages/", status=500, times=10_000)
            for method in ("chat.startStream", "chat.postMessage", "chat.update"):
                scene.slack.fail(method, "internal_error", times=None)
        scene.ask()
        if state == "calls tried again":
            await scene.bot.err.see("(?s)(out of reach, trying .* again.*){2}")
        elif state == "platforms lost":
            await scene.inference.asked.wait()
            await scene.platforms.aclose()
        else:
            await scene.discord.until(lambda: scene.lounge.from_bot)
        await ends(scene)
