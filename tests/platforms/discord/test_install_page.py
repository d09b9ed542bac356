"""docs/install-discord.md says what the code does."""

import asyncio
import re
from pathlib import Path
from typing import Any

import discord

from bot.exit_code import ExitCode
from bot.platforms.discord.permissions import WANTED, invitation
from tests.command import run_command
from tests.doubles.discord import Channel, DiscordDouble, Guild
from tests.end_to_end.processes import write_config
from tests.platforms.discord.conftest import Running

PAGE = (Path(__file__).parents[3] / "docs/install-discord.md").read_text(encoding="utf-8")
API_NAMES = {"View Channels": "view_channel"}
"""Where it isn't the name in Discord's settings."""


def test_the_invitation_on_the_page_is_the_one_that_the_bot_gives() -> None:
    assert invitation(0).replace("=0&", "=APPLICATION_ID&") in PAGE


def test_the_permissions_in_the_pages_table_add_up_to_the_invitations() -> None:
    rows = re.findall(r"^\| ([A-Z][\w ]+) \| (\d+) \|", PAGE, re.MULTILINE)
    for name, bit in rows:
        assert getattr(
            discord.Permissions(int(bit)), API_NAMES.get(name, name.lower().replace(" ", "_"))
        )
    assert sum(int(bit) for _, bit in rows) == WANTED.value


async def test_a_bot_that_is_in_no_server_logs_its_invitation(running: Running) -> None:
    def leave(double: DiscordDouble, guild: Guild, general: Channel) -> dict[str, Any]:
        guild.has_bot = False
        return {}

    async with running(prepare=leave) as scene:
        await scene.bot.err.see(re.escape(invitation(scene.discord.application_id)))


async def test_the_command_prints_the_invitation_of_the_token_s_application(
    tmp_path: Path,
) -> None:
    double = DiscordDouble()
    async with double.running():
        api = {"token": double.token, "api_url": double.api_url}
        config = write_config(tmp_path, discord=api)
        command = ("discord-invite", "--config", config)
        done = await asyncio.to_thread(run_command, *command)
        assert done.exit_code == ExitCode.OK
        assert done.stdout.strip() == invitation(double.application_id)
        write_config(tmp_path, discord=api | {"token": "a.b.c"})
        done = await asyncio.to_thread(run_command, *command)
        assert done.exit_code == ExitCode.UNUSABLE
        (line,) = done.stderr.splitlines()
        assert line.startswith("discord.token: Discord does not accept it")
