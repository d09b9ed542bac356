"""docs/install-slack.md says what the code does."""

import re
from pathlib import Path
from typing import Any

from bot.platforms.slack.installations import EVENTS_PATH
from tests.doubles.slack import Channel, SlackDouble, Workspace
from tests.platforms.slack.conftest import Running

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/install-slack.md").read_text(encoding="utf-8")


def test_the_scopes_in_the_pages_table_are_the_manifests(manifest: dict[str, Any]) -> None:
    rows = re.findall(r"^\| `([a-z_]+:[a-z]+|commands)` \|", PAGE, re.MULTILINE)
    assert rows == manifest["oauth_config"]["scopes"]["bot"]


def test_the_environment_variables_on_the_page_are_those_of_the_configuration() -> None:
    named = set(re.findall(r"SLACK_[A-Z_]+", PAGE))
    for file in ("config/bot.yaml", ".env.example"):
        assert named == set(re.findall(r"SLACK_[A-Z_]+", (ROOT / file).read_text("utf-8")))


async def test_the_manifest_changed_as_the_page_says_works_over_http(
    running: Running, manifest: dict[str, Any]
) -> None:
    assert f"https://YOUR.HOST{EVENTS_PATH}" in PAGE

    def change(double: SlackDouble, team: Workspace, general: Channel) -> dict[str, Any]:
        settings, features = manifest["settings"], manifest["features"]
        url = f"https://your.host{EVENTS_PATH}"
        settings["socket_mode_enabled"] = False
        settings["event_subscriptions"]["request_url"] = url
        settings["interactivity"]["request_url"] = url
        for command in features["slash_commands"]:
            command["url"] = url
        double.app.use_manifest(manifest)
        double.installations[0].scopes = set(double.app.scopes)
        return {}

    async with running(http=True, prepare=change) as scene:
        assert (await scene.ask("hi")).text.startswith("Hello there.")


async def test_without_the_scopes_that_can_be_left_out_nothing_is_missed(running: Running) -> None:
    unneeded = re.findall(r"`([a-z:]+)` \|[^|]*can be left out", PAGE)

    def leave_out(double: SlackDouble, team: Workspace, general: Channel) -> dict[str, Any]:
        double.installations[0].scopes -= set(unneeded)
        return {}

    assert unneeded == ["reactions:write", "usergroups:read"]
    async with running(prepare=leave_out) as scene:
        assert (await scene.ask("hi")).text.startswith("Hello there.")
        assert "scopes" not in scene.bot.err.text
