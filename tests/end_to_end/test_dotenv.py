"""Tokens and addresses come from .env and from files; `bot check` says from where."""

from pathlib import Path

import pytest

from bot.exit_code import ExitCode
from tests.command import run_command
from tests.doubles.discord import DiscordDouble
from tests.doubles.inference import Say, ScriptedInference
from tests.end_to_end.processes import NOBODY, converse, piped, write_config

TOKEN = "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs-abc"


@pytest.fixture(autouse=True)
def _in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def check(**variables: str) -> tuple[str, int]:
    """What `bot check` says, and its exit code."""
    done = run_command("check", **({"INFERENCE_URL": NOBODY} | variables))
    assert TOKEN not in done.output
    return done.output, done.exit_code


def line_about(subject: str, output: str) -> str:
    (line,) = [line for line in output.splitlines() if f" {subject}:" in line]
    return line


@pytest.mark.parametrize(
    "content",
    [
        f"DISCORD_TOKEN={TOKEN}\n".encode(),
        f"DISCORD_TOKEN={TOKEN}".encode(),
        f"# mine\n\nexport DISCORD_TOKEN = '{TOKEN}'   # from the portal\n".encode(),
        f"DISCORD_TOKEN={TOKEN}  \r\nSLACK_BOT_TOKEN=\r\n\r\n".encode(),
        f"\ufeffDISCORD_TOKEN={TOKEN}\r\n".encode(),
        f'DISCORD_TOKEN="{TOKEN}\n"\n'.encode(),
        f"DISCORD_TOKEN={TOKEN}\r\n".encode("utf-16"),
    ],
    ids=["unix", "no-newline", "quoted", "windows", "bom", "newline-in-value", "utf-16"],
)
def test_a_token_in_dotenv_is_read_whatever_editor_saved_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    output, _ = check()
    assert (
        line_about("discord.token", output)
        == "ok   discord.token: set, in the right form (from DISCORD_TOKEN in .env)"
    )


def test_the_real_environment_wins_over_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DISCORD_TOKEN=wrong\nSTORAGE_URL=wrong\n", encoding="utf-8")
    storage = f"sqlite+aiosqlite:///{tmp_path}/bot.db"
    output, _ = check(DISCORD_TOKEN=TOKEN, STORAGE_URL=storage)
    assert "DISCORD_TOKEN in the environment" in line_about("discord.token", output)
    assert "from STORAGE_URL in the environment" in line_about("storage.url", output)


def test_a_file_of_ones_own_without_the_key_takes_the_variable_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DISCORD_TOKEN={TOKEN}\n", encoding="utf-8")
    (tmp_path / "config").mkdir()
    file = tmp_path / "config" / "bot.yaml"
    file.write_text("discord: {file_above_characters: 4000}\n", encoding="utf-8")
    assert "from DISCORD_TOKEN in .env" in line_about("discord.token", check()[0])
    file.write_text("discord: {token: }\n", encoding="utf-8")
    assert "not set" in line_about("discord.token", check()[0])


def test_a_variable_that_ends_in_file_names_the_secret_s_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\r\n", encoding="utf-8")
    named = {"DISCORD_TOKEN": "", "DISCORD_TOKEN_FILE": str(tmp_path / "token")}
    output, _ = check(**named)
    line = line_about("discord.token", output)
    assert line.startswith("ok ")
    assert f"DISCORD_TOKEN_FILE in the environment, the file {tmp_path / 'token'}" in line
    (tmp_path / ".env").write_text("DISCORD_TOKEN_FILE=token\n", encoding="utf-8")
    line = line_about("discord.token", check()[0])
    assert "DISCORD_TOKEN_FILE in .env, the file token" in line


@pytest.mark.parametrize("name", ["DISCORD_TOKEN", "discord_token"])
def test_a_credential_of_systemd_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(f"{TOKEN}\n", encoding="utf-8")
    output, _ = check(CREDENTIALS_DIRECTORY=str(tmp_path))
    assert f"(from {tmp_path / name})" in line_about("discord.token", output)


@pytest.mark.parametrize(
    ("dotenv", "problem"),
    [
        (b"A=1\nTHIS IS NOT IT\n", ".env:2: this line can't be read, allowed: NAME=value"),
        (b"A=\xff\xff\n", ".env: is not UTF-8 text (byte 2)"),
        (b"A=x\0y\n", ".env: 'A' has a NUL character"),
        (
            b"DISCORD_TOKEN_FILE=/nowhere/token\n",
            "discord.token: DISCORD_TOKEN_FILE names /nowhere/token: can't be read:"
            " No such file or directory",
        ),
    ],
)
def test_what_can_not_be_read_is_one_line(tmp_path: Path, dotenv: bytes, problem: str) -> None:
    (tmp_path / ".env").write_bytes(dotenv)
    output, code = check()
    assert code == ExitCode.UNUSABLE
    (line,) = output.splitlines()
    assert line.endswith(problem)


async def test_the_bot_runs_with_its_token_in_dotenv(tmp_path: Path) -> None:
    discord = DiscordDouble()
    async with discord.running(), ScriptedInference().running() as inference:
        general = discord.guild("Home").channel("general")
        ann = general.guild.member("Ann")
        config = write_config(
            tmp_path, discord={"api_url": discord.api_url}, inference={"model": "scripted"}
        )
        dotenv = f"DISCORD_TOKEN={discord.token}\nINFERENCE_URL={inference.url}\n"
        (tmp_path / ".env").write_text(dotenv, encoding="utf-8")
        async with piped(config, command="run") as bot:
            await bot.err.see("discord is connected")
            inference.script(Say("Hello there."))
            asked = ann.say(general, "@bot hi")
            await discord.until(lambda: asked.replies and "Hello there." in asked.replies[-1].text)


async def test_the_console_and_the_service_read_dotenv_too(tmp_path: Path) -> None:
    async with ScriptedInference().running() as inference:
        dotenv = f"INFERENCE_URL={inference.url}\nINFERENCE_LISTEN=0.0.0.0:0\n"
        (tmp_path / ".env").write_text(dotenv, encoding="utf-8")
        config = write_config(tmp_path, inference={"model": "scripted"})
        inference.script(Say("Hello there."))
        bot, code = await converse(config, "hi\n")
        assert "Hello there." in bot.out.text
        assert code == ExitCode.OK
    pytest.importorskip("torch")
    async with piped(config, command="serve") as service:
        await service.err.see(r"inference\.listen is 0\.0\.0\.0:0, which others can reach")
