"""`bot slack-manifest` writes what Slack accepts and the bot understands."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from typer.testing import CliRunner

from bot.cli import app
from bot.config import builtin_config_dir
from bot.conversation.commands import COMMANDS
from bot.exit_code import ExitCode
from bot.platforms.slack.installations import ALL_SCOPES, EVENTS, REMOVALS, SCOPES
from bot.platforms.slack.manifest import RESERVED, creation_link, manifest
from tests.doubles.slack import Channel, SlackDouble, View, Workspace
from tests.platforms.slack.conftest import Running, Scene

ROOT = Path(__file__).parents[3]
SLACKS_OWN = {
    *("me", "status", "away", "active", "dnd", "shrug", "remind", "msg", "dm", "feed"),
    *("who", "collapse", "expand", "leave", "join", "open", "search", "topic", "mute"),
    *("pro", "shortcuts", "help", "send", "kill", "debug", "commands", "invite"),
    *("rename", "remove", "archive", "apps", "prefs", "star", "call", "feedback"),
}


def written(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["slack-manifest", *arguments])
    assert result.exit_code == ExitCode.OK, result.output
    found: dict[str, Any] = yaml.safe_load(result.stdout)
    return found


def commands_of(content: dict[str, Any]) -> list[str]:
    return [command["command"] for command in content["features"]["slash_commands"]]


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_shipped_manifest_is_what_the_command_writes() -> None:
    """After a change of the commands: bot slack-manifest > config/slack-manifest.yaml"""
    shipped = (builtin_config_dir() / "slack-manifest.yaml").read_text(encoding="utf-8")
    assert shipped == CliRunner().invoke(app, ["slack-manifest"]).stdout


@pytest.mark.parametrize("arguments", [[], ["--prefix", "ai_"], ["--one-command"]])
def test_no_command_is_one_of_slacks_own(arguments: list[str]) -> None:
    names = {name.removeprefix("/") for name in commands_of(written(*arguments))}
    assert not names & (SLACKS_OWN | RESERVED)
    assert SLACKS_OWN <= RESERVED


def test_every_command_has_its_slash_command() -> None:
    words = {name.split()[0] for name in COMMANDS}
    assert set(commands_of(written("--prefix", "ai-"))) == {f"/ai-{word}" for word in words}
    (one,) = written("--prefix", "ai-", "--one-command")["features"]["slash_commands"]
    assert one["command"] == "/ai"
    assert set(one["usage_hint"].split("|")) == words


@pytest.mark.parametrize("one_command", [True, False])
def test_every_text_keeps_slacks_limits(one_command: bool) -> None:
    """https://docs.slack.dev/reference/app-manifest"""
    content = manifest("n" * 35, "p" * 20, one_command=one_command)
    shown = content["display_information"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert 174 <= len(shown["long_description"]) <= 4000
    assert "AI" in shown["long_description"]
    assert "can be wrong" in shown["long_description"]
    assert len(content["features"]["bot_user"]["display_name"]) <= 80
    assert len(content["features"]["agent_view"]["agent_description"]) <= 300
    commands = content["features"]["slash_commands"]
    assert len(commands) <= 50
    for command in commands:
        assert re.fullmatch(r"/[a-z0-9_-]{1,31}", command["command"])
        assert 1 <= len(command["description"]) <= 2000
        assert len(command.get("usage_hint", "")) <= 1000


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--prefix", ""], "/status is one of Slack's own commands: choose another prefix"),
        (["--prefix", "Bot "], "'/Bot effort' can't name a command, allowed: 1 to 31 of a-z"),
        (["--prefix", "help-", "--one-command"], "/help is one of Slack's own commands"),
        (["--prefix", "", "--one-command"], "'/' can't name a command"),
        (["--name", "n" * 36], "the name has 36 characters, allowed: 1 to 35"),
        (["--url", "http://here"], "found 'http://here', allowed: an address that begins with"),
    ],
)
def test_what_slack_would_refuse_is_one_line(arguments: list[str], problem: str) -> None:
    result = CliRunner().invoke(app, ["slack-manifest", *arguments])
    assert result.exit_code == ExitCode.UNUSABLE
    (line,) = result.stderr.splitlines()
    assert line.startswith(problem)


def test_scopes_and_events_are_those_that_the_code_uses() -> None:
    content = written()
    assert content["oauth_config"]["scopes"]["bot"] == ALL_SCOPES
    assert content["settings"]["event_subscriptions"]["bot_events"] == list(EVENTS)
    source = "".join(
        file.read_text(encoding="utf-8") for file in (ROOT / "bot/platforms/slack").glob("*.py")
    )
    heard = set(re.findall(r"""app\.event\(\s*["']([\w.]+)["']""", source))
    heard.update(REMOVALS)  # in a loop
    assert heard == {event.partition(".")[0] for event in EVENTS}
    for event in EVENTS:
        if kind := event.partition(".")[2]:
            assert f"{kind}:history" in SCOPES


def test_over_http_every_address_is_the_hosts() -> None:
    content = written("--url", "https://bot.example.org/")
    url = "https://bot.example.org/slack/events"
    settings = content["settings"]
    assert settings["socket_mode_enabled"] is False
    assert settings["event_subscriptions"]["request_url"] == url
    assert settings["interactivity"]["request_url"] == url
    assert {command["url"] for command in content["features"]["slash_commands"]} == {url}
    assert content["oauth_config"]["redirect_urls"] == [
        "https://bot.example.org/slack/oauth_redirect"
    ]


def test_the_link_holds_the_manifest() -> None:
    content = manifest("My bot", "ai-")
    query = parse_qs(urlsplit(creation_link(content)).query)
    assert query["new_app"] == ["1"]
    assert yaml.safe_load(query["manifest_yaml"][0]) == content
    result = CliRunner().invoke(
        app, ["slack-manifest", "--name", "My bot", "--prefix", "ai-", "--link"]
    )
    assert result.stdout.strip() == creation_link(content)


async def said(scene: Scene, command: str) -> str:
    response = await scene.ann.slash(scene.general, command).response
    assert not isinstance(response, View)
    return response.text


async def test_the_bot_understands_the_commands_of_its_manifest(running: Running) -> None:
    """Whatever the prefix is; typed as text in threads, where Slack has no slash commands, too."""

    def prefixed(double: SlackDouble, team: Workspace, general: Channel) -> dict[str, Any]:
        double.app.use_manifest(manifest("Ai", "ai-"))
        double.app.commands |= {"/ai"}  # type: ignore[operator]
        double.installations[0].scopes = set(double.app.scopes)
        return {"slack": {"command_prefix": "ai-"}}

    async with running(prepare=prefixed) as scene:
        for command in ("/ai-status", "/ai status", "/ai /status"):
            assert "Model: scripted" in await said(scene, command)
        for command in ("/ai-help", "/ai help", "/ai"):
            told = await said(scene, command)
            assert "/ai-effort <level>" in told
            assert "/ai-persona create" in told
            assert not re.search(r"(^|\s)/(?!ai-)[a-z]", told)
        for line, part in (
            ("/ai-status", "Model: scripted"),
            ("/status", "Model: scripted"),
            ("/ai status", "Model: scripted"),
            ("/ai-efort high", "Did you mean /ai-effort?"),
            ("", "/ai-help lists what else I understand"),
        ):
            person = scene.team.member(f"Person {line}")  # who has been told nothing yet
            asked = person.say(scene.general, f"@bot {line}".strip())
            assert part in await scene.told(asked)
