"""The status page as a part of `bot run`."""

import socket
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.app import App
from bot.check import status_finding
from bot.config import Config
from bot.exit_code import ExitCode
from tests.doubles.discord import DiscordDouble
from tests.doubles.inference import ScriptedInference
from tests.end_to_end.in_process import in_process
from tests.end_to_end.processes import NOBODY, write_config
from tests.http_client import http_client
from tests.status.conftest import Page


@pytest.mark.parametrize(
    ("listen", "problem", "code"),
    [
        ("taken", "Address already in use", ExitCode.FAILURE),
        ("0.0.0.0:0", "set status.token too", ExitCode.UNUSABLE),
    ],
)
async def test_a_page_that_can_not_be_served_ends_the_start_with_one_line(
    tmp_path: Path, listen: str, problem: str, code: ExitCode
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, capture_logs() as logs:
        if listen == "taken":
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
        config = Config.model_validate(
            {
                "inference": {"url": NOBODY},
                "storage": {"url": f"sqlite+aiosqlite:///{tmp_path / 'bot.db'}"},
                "status": {"listen": listen},
            }
        )
        assert await App(config).run(console=False) == code
    (line,) = (entry["event"] for entry in logs if entry["log_level"] == "error")
    assert line.startswith(f"status.listen is {listen}")
    assert problem in line


async def test_the_running_bot_serves_it_until_it_ends(tmp_path: Path) -> None:
    discord = DiscordDouble()
    async with discord.running(), ScriptedInference().running() as inference:
        guild = discord.guild("Home")
        lounge, ann = guild.channel("lounge"), guild.member("Ann")
        config = write_config(
            tmp_path,
            discord={"token": discord.token, "api_url": discord.api_url},
            inference={"url": inference.url, "model": "scripted"},
            status={"listen": "127.0.0.1:0"},
        )
        async with in_process(config) as bot:
            await bot.err.see("discord is connected")
            (line,) = (line for line in bot.err.text.splitlines() if "status page is up" in line)
            url = line.partition('"url": "')[2].partition('"')[0]
            ann.say(lounge, "@bot hi")
            await bot.err.see("answer ended")
            async with http_client(url) as http:
                text = (await http.get("/")).text
                assert "of 1 answer in the last hour" in text
                async with http.stream("GET", "/events") as events:  # it ends with the bot
                    bot.stop()
                    async for _ in events.aiter_lines():
                        pass
            assert await bot.exit_code() == ExitCode.OK


@pytest.mark.parametrize(
    ("status", "ok", "told"),
    [
        ({"listen": "127.0.0.1:0"}, True, "asks for no token"),
        ({"listen": "0.0.0.0:0", "token": "sesame"}, True, "asks for status.token"),
        ({"listen": "0.0.0.0:0"}, False, "set status.token too"),
        ({"listen": "192.0.2.1:0", "token": "sesame"}, False, "listening there failed"),
        ({"listen": "taken"}, True, "is in use"),
    ],
)
def test_bot_check_says_whether_it_can_be_served(
    status: dict[str, str], ok: bool, told: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        if status["listen"] == "taken":
            status = {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}
        found = status_finding(Config.model_validate({"status": status}).status)
    assert found.ok is ok
    assert told in found.detail


async def test_a_change_of_the_file_is_among_the_changes(page: Page) -> None:
    await page.chat.core.store.changes.note_file({"defaults.effort": ("low", "high")})
    text = await page.text("/changes")
    for cell in ("somebody on this machine", "the configuration file", "defaults.effort", "high"):
        assert f">{cell}<" in text
