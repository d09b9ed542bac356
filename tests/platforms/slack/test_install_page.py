"""docs/install-slack.md says what the code does."""

import re
from pathlib import Path
from typing import Any

from bot.platforms.slack.manifest import manifest as manifest_of
from tests.doubles.slack import Channel, SlackDouble, Workspace
from tests.platforms.slack.conftest import Running

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/install-slack.md").read_text(encoding="utf-8")


def test_the_scopes_in_the_pages_table_are_the_manifests(manifest: dict[str, Any]) -> None:
    rows = re.findall(r"^\| `([a-z_]+:[a-z.]+|commands)` \|", PAGE, re.MULTILINE)
    assert rows == manifest["oauth_config"]["scopes"]["bot"]


def test_the_environment_variables_on_the_page_are_those_of_the_configuration() -> None:
    named = set(re.findall(r"SLACK_[A-Z_]+", PAGE))
    for file in ("config/bot.yaml", ".env.example"):
        assert named == set(re.findall(r"SLACK_[A-Z_]+", (ROOT / file).read_text("utf-8")))


async def test_the_manifest_made_as_the_page_says_works_over_http(running: Running) -> None:
    (command,) = re.findall(r"^ *bot slack-manifest --url (.*)$", PAGE, re.MULTILINE)
    assert command == "https://YOUR.HOST"

    def change(double: SlackDouble, team: Workspace, general: Channel) -> dict[str, Any]:
        double.app.use_manifest(manifest_of("gptoss-bot", "bot-", address="https://your.host"))
        double.installations[0].scopes = set(double.app.scopes)
        return {}

    async with running(http=True, prepare=change) as scene:
        assert (await scene.ask("hi")).text.startswith("Hello there.")


async def test_without_the_scopes_that_can_be_left_out_nothing_is_missed(running: Running) -> None:
    unneeded = re.findall(r"`([a-z:.]+)` \|[^|]*can be left out", PAGE)

    def leave_out(double: SlackDouble, team: Workspace, general: Channel) -> dict[str, Any]:
        double.installations[0].scopes -= set(unneeded)
        return {}

    assert unneeded == ["search:read.public", "usergroups:read"]
    async with running(prepare=leave_out) as scene:
        assert (await scene.ask("hi")).text.startswith("Hello there.")
        assert "scopes" not in scene.bot.err.text
