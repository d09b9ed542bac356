"""`bot check` asks whoever can be asked, and is green where `bot run` works."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.exit_code import ExitCode
from tests.command import run_command
from tests.doubles.discord import DiscordDouble
from tests.doubles.inference import ScriptedInference
from tests.doubles.slack import SlackDouble
from tests.end_to_end.processes import NOBODY, piped, write_config

Sections = dict[str, Any]


async def check(folder: Path, **sections: Any) -> tuple[list[str], int]:
    """The lines of `bot check` and its exit code."""
    config = write_config(folder, database=False, **sections)
    done = await asyncio.to_thread(run_command, "check", "--config", config)
    assert done.stderr == ""
    return done.stdout.splitlines(), done.exit_code


@asynccontextmanager
async def everything() -> AsyncIterator[tuple[DiscordDouble, SlackDouble, Sections]]:
    """Both platforms and a server, and the configuration for them."""
    discord, slack = DiscordDouble(), SlackDouble()
    async with discord.running(), slack.running(), ScriptedInference().running() as inference:
        slack.workspace("Home")
        yield (
            discord,
            slack,
            {
                "inference": {"url": inference.url, "model": "scripted"},
                "discord": {"token": discord.token, "api_url": discord.api_url},
                "slack": {
                    "bot_token": slack.bot_token,
                    "app_token": slack.app_token,
                    "api_url": slack.api_url,
                },
            },
        )


def bad(lines: list[str]) -> list[str]:
    return [line.removeprefix("bad  ") for line in lines if line.startswith("bad ")]


async def test_what_can_be_asked_is_asked(tmp_path: Path) -> None:
    async with everything() as (discord, slack, sections):
        lines, code = await check(tmp_path, **sections)
        assert bad(lines) == []
        assert code == ExitCode.OK
        text = "\n".join(lines)
        assert f"ok   inference: {sections['inference']['url']} answers with scripted" in text
        assert "ok   discord: Discord knows the token as" in text
        assert "ok   discord: the message content intent is " in text
        assert "ok   slack: Slack knows the token as" in text
        assert "in Home" in text
        assert "ok   storage: " in text
        for secret in (discord.token, slack.bot_token, slack.app_token):
            assert secret not in text
        assert not (tmp_path / "bot.db").exists()


async def test_what_would_end_the_bot_is_red(tmp_path: Path) -> None:
    async with everything() as (discord, slack, sections):
        slack.installations[0].scopes.discard("files:read")
        wrong = discord.token[:-1] + ("a" if discord.token[-1] != "a" else "b")
        sections["discord"]["token"] = wrong
        lines, code = await check(tmp_path, **sections)
        assert code == ExitCode.UNUSABLE
        assert bad(lines) == [
            "discord: discord.token: Discord does not accept it; reset the token in the developer"
            " portal",
            "slack: scopes are missing: files:read; add them under OAuth & Permissions, install"
            " again",
        ]
        slack.installations[0].error = "token_revoked"
        lines, _ = await check(tmp_path, **sections | {"inference": {"url": NOBODY}})
        assert bad(lines)[0].startswith(f"inference: {NOBODY}: ")
        assert "slack: slack.bot_token: Slack does not accept it (token_revoked)" in bad(lines)[-1]
        sections["slack"]["app_token"] = ""
        lines, _ = await check(tmp_path, **sections)
        assert "slack: set slack.app_token (Socket Mode)" in bad(lines)[-1]


async def test_an_app_token_of_another_kind_is_red(tmp_path: Path) -> None:
    async with everything() as (_, _, sections):
        sections["slack"]["app_token"] = "xapp-of-another-app"
        lines, _ = await check(tmp_path, **sections)
        assert bad(lines)[0].startswith("slack: slack.app_token: Slack does not accept it")


async def test_a_platform_that_can_not_be_reached_is_red(tmp_path: Path) -> None:
    async with everything() as (discord, slack, sections):
        pass
    sections["inference"] = {"model": "smollm2-135m", "device": "cpu"}
    lines, code = await check(tmp_path, **sections)
    assert code == ExitCode.UNUSABLE
    assert any(f"Discord can't be reached at {discord.api_url}" in line for line in bad(lines))
    assert any(f"Slack can't be reached at {slack.api_url}" in line for line in bad(lines))


@pytest.mark.parametrize("name", ["file/bot.db", "."])
async def test_a_database_that_can_not_be_written_is_red(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    url = f"sqlite+aiosqlite:///{tmp_path / name}"
    inference = {"model": "smollm2-135m", "device": "cpu"}
    lines, code = await check(tmp_path, storage={"url": url}, inference=inference)
    assert code == ExitCode.UNUSABLE
    (problem,) = bad(lines)
    assert problem.startswith(f"storage: storage.url: {url}: ")


async def test_gpt_oss_on_a_cpu_is_red_and_names_what_to_do(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    inference = {"model": "gpt-oss-20b", "device": "cpu"}
    lines, code = await check(tmp_path, inference=inference)
    assert code == ExitCode.UNUSABLE
    (problem,) = bad(lines)
    for part in ("needs a CUDA card", "inference.url", "llama.cpp", "Ollama", "vLLM", "smollm2"):
        assert part in problem
    async with piped(write_config(tmp_path, inference=inference), command="serve") as service:
        assert await service.exit_code() == ExitCode.UNUSABLE
        assert "needs a CUDA card" in service.err.text


async def test_an_address_that_can_not_be_listened_on_is_red(tmp_path: Path) -> None:
    async with everything() as (_, _, sections):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            sections["metrics"] = {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}
            sections["slack"] |= {"listen": "192.0.2.1:3000", "signing_secret": "0" * 32}
            lines, code = await check(tmp_path, **sections)
    assert code == ExitCode.UNUSABLE
    (problem,) = bad(lines)
    assert problem.startswith("slack: slack.listen is 192.0.2.1:3000, but listening there failed:")
    assert any(line.startswith("ok   metrics: ") and "is in use" in line for line in lines)
