"""Every command in the README and the documentation is read there and run.

A page's commands are its indented lines that begin with the name of a program. `bot` runs between
the doubles, until it ends or says that it works. Commands that change the machine (make, pip,
docker, systemctl and the like) are compared with what they name.
What people type in chat is tried in tests/conversation/test_pages.py.
"""

import asyncio
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from bot.cli import app
from bot.exit_code import ExitCode
from tests.command import run_command
from tests.doubles.discord import DiscordDouble
from tests.doubles.inference import ScriptedInference
from tests.doubles.slack import SlackDouble
from tests.end_to_end.processes import process_of

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = (
    *("bot", "cp", "docker", "git", "journalctl", "make", "openssl", "pip", "printf", "python"),
    "sudo",
)


def documented() -> list[str]:
    found: list[str] = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for line in re.findall(r"^(?: {4}| {7})(\S.*)$", text, re.MULTILINE):
            command = re.split(r"\s{2,}", line)[0]  # what it is for stands after it
            first = next((w for w in command.split() if "=" not in w), "")
            if first in PROGRAMS and command not in found:
                found.append(command)
    return found


COMMANDS = documented()
BOT = [c for c in COMMANDS if re.match(r"(\w+=\S+ )*bot ", c)]


def test_the_pages_have_commands() -> None:
    assert {"make chat", "make test", "bot init", "bot run", "docker compose up"} <= set(COMMANDS)


@pytest.mark.parametrize("command", BOT)
async def test_a_command_of_the_bot_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    arguments = shlex.split(command)
    arguments = arguments[arguments.index("bot") + 1 :]
    if arguments[0] in ("serve", "bench"):  # tested with a model where that is their subject
        arguments.append("--help")
    environment = dict(s.split("=", 1) for s in shlex.split(command) if re.match(r"[A-Z_]+=", s))
    monkeypatch.chdir(tmp_path)
    discord, slack = DiscordDouble(), SlackDouble()
    async with discord.running(), slack.running(), ScriptedInference().running() as inference:
        slack.workspace("Home")
        (tmp_path / "config").mkdir()
        sections = {"discord": {"api_url": discord.api_url}, "slack": {"api_url": slack.api_url}}
        (tmp_path / "config" / "bot.yaml").write_text(yaml.safe_dump(sections), encoding="utf-8")
        (tmp_path / ".env").write_text(
            f"DISCORD_TOKEN={discord.token}\nSLACK_BOT_TOKEN={slack.bot_token}\n"
            f"SLACK_APP_TOKEN={slack.app_token}\nINFERENCE_URL={inference.url}\n",
            encoding="utf-8",
        )
        if arguments not in (["run"], ["chat"]):
            done = await asyncio.to_thread(run_command, *arguments, **environment)
            assert done.exit_code == ExitCode.OK, done.output
            return
        async with process_of(arguments, **environment) as bot:
            assert bot.process.stdin
            bot.process.stdin.close()
            if arguments == ["run"]:
                await bot.err.see("(discord|slack) is connected")
                await bot.err.see("(discord|slack) is connected")
                bot.process.terminate()
            code = await bot.exit_code()
        assert code == ExitCode.OK, bot.out.text + bot.err.text


def test_the_list_of_commands_is_complete() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^    bot ([a-z-]+)[ a-z]*  ", readme, re.MULTILINE))
    assert listed == set(get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_command_that_is_named_in_a_sentence_exists(page: Path) -> None:
    for words in re.findall(r"`bot ([^`]+)`", page.read_text(encoding="utf-8")):
        command: Any = get_command(app)
        for word in shlex.split(words.partition(">")[0]):
            if word.startswith("--"):
                assert word in [o for p in command.params for o in p.opts], words
            elif hasattr(command, "commands"):
                assert word in command.commands, words
                command = command.commands[word]


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in BOT])
def test_what_another_program_is_told_exists(tmp_path: Path, command: str) -> None:
    words = [word for word in shlex.split(command.replace("|", " ")) if word != "sudo"]
    words = words[[("=" in word) for word in words].index(False) :]
    CHECKS[words[0]](words[1:], tmp_path)


def _make(words: list[str], folder: Path) -> None:
    if words[0] == "-C":  # a clone of this folder
        words = words[2:]
    targets = [w for w in words if not w.startswith(("-", "PYTHON="))]
    subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, check=True, capture_output=True)


def _pip(words: list[str], folder: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert words[0] == "install"
    for extras in re.findall(r"^\.\[(.*?)\]", words[1]):
        assert set(extras.split(",")) <= set(project["optional-dependencies"])


def _docker(words: list[str], folder: Path) -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    if words[:2] == ["compose", "up"]:
        assert set(words[2:]) <= set(compose["services"])
        return
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    if words[:2] == ["compose", "build"]:
        for word in words[2:]:
            assert word == "--build-arg" or f"ARG {word.partition('=')[0]}=" in dockerfile
        return
    if words[0] == "buildx":
        assert f"={words[3]}@sha256:" in dockerfile  # what an image is made from
        return
    images = {service["image"] for service in compose["services"].values()}
    assert images & set(words)
    if "--target" in words:
        target = words[words.index("--target") + 1]
        assert f" AS {target}\n" in dockerfile


def _copied(words: list[str], folder: Path) -> None:
    for word in words[:-1]:
        assert (ROOT / word).exists()


def _printf(words: list[str], folder: Path) -> None:
    if words[-2:] != ["make", "chat"]:
        piped = f"printf '{words[0]}' | {shlex.join(words[1:])}"
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "INFERENCE_DEVICE": "cpu"}
        subprocess.run(["sh", "-c", piped], cwd=folder, env=environment, check=True)


def _git(words: list[str], folder: Path) -> None:
    if words[1] == ".":
        _named_in_the_unit(words, folder)
        return
    addresses = set(re.findall(r"https://github.com/\S+?/gptoss-bot", " ".join(words)))
    assert addresses == set(
        re.findall(
            r"https://github.com/[\w-]+/gptoss-bot",
            (ROOT / "docs" / "colab.ipynb").read_text(encoding="utf-8"),
        )
    )


def _python(words: list[str], folder: Path) -> None:
    if words[:2] == ["-m", "pytest"]:
        assert (ROOT / words[2]).is_dir()
    else:
        program = (ROOT / words[0]).read_text(encoding="utf-8")
        assert all(f'"{word}"' in program for word in words if word.startswith("--"))


def _serve(words: list[str], folder: Path) -> None:
    assert words[0] == "run"
    if words[1].endswith(".yaml"):
        assert (ROOT / words[1]).exists()
        return
    module, _, name = words[1].partition(":")
    source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
    assert f"def {name}(" in source
    for argument in words[2:]:
        assert f"\n    {argument.partition('=')[0]}: " in source


def _ray(words: list[str], folder: Path) -> None:
    assert words == ["start", "--head"]


def _named_in_the_unit(words: list[str], folder: Path) -> None:
    unit = (ROOT / "deploy" / "gptoss-bot.service").read_text(encoding="utf-8")
    named = [w for w in words if w.startswith("/") and not w.startswith(("/dev/", "/etc/systemd"))]
    for name in [*named, *(w for w in words if w == "gptoss-bot")]:
        assert name in unit


CHECKS: dict[str, Callable[[list[str], Path], Any]] = {
    "make": _make,
    "pip": _pip,
    "docker": _docker,
    "cp": _copied,
    "printf": _printf,
    "git": _git,
    "python": _python,
    "ray": _ray,
    "serve": _serve,
    "install": _named_in_the_unit,
    "journalctl": _named_in_the_unit,
    "mkdir": _named_in_the_unit,
    "systemctl": _named_in_the_unit,
    "useradd": _named_in_the_unit,
}
