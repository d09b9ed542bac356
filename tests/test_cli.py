"""The command line: what a person is told, in how many lines, with which exit code."""

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bot.cli import app
from bot.exit_code import ExitCode
from tests.end_to_end.processes import write_config
from tests.waiting import HANG_SECONDS


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("BOT_CONFIG", "BOT_LOG_LEVEL", "DISCORD_TOKEN", "SLACK_BOT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def bot(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def config(tmp_path: Path, **sections: Any) -> Path:
    return write_config(tmp_path, **({"inference": {"url": "http://127.0.0.1:9/v1"}} | sections))


def test_help_names_every_command_and_what_it_is_for() -> None:
    result = bot("--help")
    assert result.exit_code == ExitCode.OK
    for command in ("chat", "run", "serve", "check", "bench", "models"):
        assert f"{command}  " in result.output
    assert "Talk to the bot in this terminal" in result.output


def test_neither_help_nor_the_bot_process_imports_torch() -> None:
    script = """
import pkgutil, sys
import bot.app, bot.check, bot.cli, bot.platforms
for module in pkgutil.walk_packages(bot.platforms.__path__, "bot.platforms."):
    __import__(module.name)
found = {"torch", "transformers", "triton", "kernels"} & set(sys.modules)
assert not found, found
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=HANG_SECONDS)


def test_importing_the_app_loads_nothing_that_only_some_need() -> None:
    """`import bot.app` is what every start of the bot pays, whatever it is to do."""
    script = """
import sys
import bot.app
some_need = {
    "aiohttp", "alembic", "bot.client.supervisor", "bot.tools.web.browser", "dateutil", "discord",
    "dotenv", "fastapi", "openai", "opentelemetry.sdk", "prompt_toolkit", "rich.progress",
    "slack_bolt", "slack_sdk", "tenacity", "uvicorn", "watchfiles",
}
found = some_need & set(sys.modules)
assert not found, found
built = [one for one in bot.config.schema.Section.__subclasses__() if one.__pydantic_complete__]
assert not built, built  # the sections' validators are built for a file that is read
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=HANG_SECONDS)


def test_check_finds_tokens_of_a_wrong_form_without_showing_them(tmp_path: Path) -> None:
    wrong = {"bot_token": "xapp-sesame", "app_token": "xoxb-sesame", "signing_secret": "sesame"}
    path = config(tmp_path, discord={"token": "sesame"}, slack=wrong)
    result = bot("check", "--config", path)
    assert result.exit_code == ExitCode.UNUSABLE
    bad = [line for line in result.output.splitlines() if line.startswith("bad  ")]
    assert [line.split()[1] for line in bad[1:]] == [  # nobody answers at inference.url
        "discord.token:",
        "slack.bot_token:",
        "slack.app_token:",
        "slack.signing_secret:",
    ]
    assert "sesame" not in result.output


@pytest.mark.parametrize("url", ["sqlite+pysqlite:///bot.db", "mongo+motor://me:hidden@host/bot"])
def test_check_finds_a_database_that_can_not_be_used(tmp_path: Path, url: str) -> None:
    result = bot("check", "--config", config(tmp_path, storage={"url": url}))
    assert result.exit_code == ExitCode.UNUSABLE
    assert result.output.splitlines()[-1].startswith("bad  storage: storage.url: ")
    assert "hidden" not in result.output


def test_a_configuration_with_mistakes_is_one_line_for_each(tmp_path: Path) -> None:
    path = tmp_path / "bot.yaml"
    path.write_text("defaults:\n  effort: maximal\n  persna: default\n", encoding="utf-8")
    result = bot("check", "--config", path)
    assert result.exit_code == ExitCode.UNUSABLE
    first, second = result.output.splitlines()
    assert f"{path}:2" in first
    assert "'maximal'" in first
    assert f"{path}:3" in second
    assert "persona" in second


def test_models_list_shows_every_preset_and_its_license() -> None:
    result = bot("models", "list")
    assert result.exit_code == ExitCode.OK
    for name in ("smollm2-135m", "gpt-oss-20b", "gpt-oss-120b", "qwen3-0.6b"):
        assert name in result.output
    assert "Apache-2.0" in result.output


def test_a_model_that_does_not_exist_is_one_line_with_what_there_is() -> None:
    pytest.importorskip("torch")
    result = bot("models", "fetch", "smolm2-135m")
    assert result.exit_code == ExitCode.UNUSABLE
    (line,) = result.stderr.splitlines()
    assert "'smolm2-135m'" in line
    assert "did you mean smollm2-135m?" in line


def test_windows_itself_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    for command in (["run"], ["check"], ["models", "list"]):
        result = bot(*command)
        assert result.exit_code == ExitCode.UNUSABLE
        (line,) = result.output.splitlines()
        assert "WSL 2" in line
    assert bot("--help").exit_code == ExitCode.OK


def test_no_library_is_left_to_report_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    assert bot("models", "--help").exit_code == ExitCode.OK
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_run_without_a_platform_says_so(tmp_path: Path) -> None:
    result = bot("run", "--config", config(tmp_path))
    assert result.exit_code == ExitCode.UNUSABLE
    (line,) = result.output.splitlines()
    assert "set discord.token or slack.bot_token" in line
