"""Socket Mode, HTTP, OAuth and Enterprise Grid."""

import asyncio
import os
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from bot.exit_code import ExitCode
from bot.platforms.slack.installations import GROUPS_SCOPE, SCOPES
from tests.doubles.inference import Say, Wait
from tests.doubles.slack import Channel, Message, Person, SlackDouble, Workspace
from tests.end_to_end.in_process import in_process
from tests.end_to_end.processes import NOBODY, piped, write_config
from tests.platforms.slack.conftest import Running, Scene, ended
from tests.waiting import HANG_SECONDS

TOKEN_KEY = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="


def oauth(double: SlackDouble, team: Workspace, general: Channel) -> dict[str, Any]:
    """The app's own id in place of one workspace's token."""
    app = double.app
    return {
        "slack": {
            "bot_token": "",
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "token_key": TOKEN_KEY,
        }
    }


@pytest.mark.parametrize(
    "fraud", ["wrong secret", "changed body", "stale", "no signature", "no timestamp"]
)
async def test_a_request_that_slack_did_not_sign_gets_401_and_touches_nothing(
    running: Running, fraud: Any
) -> None:
    async with running(http=True) as scene:
        event = {"type": "message", "channel": scene.general.id, "user": scene.ann.id}
        event |= {"text": f"{scene.team.bot.mention} hi", "ts": "1700000000.000100"}
        payload = {"type": "event_callback", "team_id": scene.team.id, "event": event}
        assert await scene.slack.http.forge(payload, fraud) == 401
        await scene.ask("a true one")
        assert len(scene.inference.requests) == 1


async def test_what_the_environment_says_of_slack_is_only_for_the_configuration(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """.env and compose.yaml set variables of the same names as Bolt's own to nothing."""
    for name in ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET", "SLACK_SIGNING_SECRET"):
        monkeypatch.setenv(name, "")
    async with running() as scene:
        answer = await scene.ask("hi")
        assert answer.text.startswith("Hello there.")
    assert os.environ["SLACK_CLIENT_ID"] == ""


async def test_slack_can_verify_the_address(running: Running) -> None:
    async with running(http=True) as scene:
        assert await scene.slack.http.verify()


async def test_a_closed_socket_is_opened_again_and_nothing_is_answered_twice(scene: Scene) -> None:
    await scene.ask("one")
    scene.slack.socket.drop()
    await scene.slack.connected()
    await scene.ask("two")
    assert len(scene.inference.requests) == 2


async def test_slacks_wish_to_reconnect_is_followed(scene: Scene) -> None:
    scene.slack.socket.ask_to_reconnect()
    await scene.slack.connected()
    assert (await scene.ask("hi")).text.startswith("Hello there.")


async def test_events_that_slack_repeats_are_answered_once(either: Scene) -> None:
    either.slack.repeat_every = 1
    question = either.ann.say(either.general, "@bot hi")
    answer = await either.answer_to(question)
    await either.ask("more")
    assert question.replies == [answer]
    assert len(either.inference.requests) == 2


async def test_an_event_that_slack_repeats_after_a_restart_is_answered_once(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot hi")
    await scene.answer_to(question)
    scene.bot.stop()
    assert await scene.bot.exit_code() == 0
    async with piped(scene.folder / "bot.yaml", command="run") as bot:
        await bot.err.see("slack is connected")
        scene.slack.repeat(question)
        await scene.ask("next")
    assert len(scene.inference.requests) == 2


async def test_a_thread_goes_on_after_a_restart_and_slack_is_not_asked_whose_it_is(
    scene: Scene,
) -> None:
    question = scene.ann.say(scene.general, "@bot hi")
    await scene.answer_to(question)
    others = scene.ann.say(scene.general, "just us")
    scene.bot.stop()
    assert await scene.bot.exit_code() == 0
    async with piped(scene.folder / "bot.yaml", command="run") as bot:
        await bot.err.see("slack is connected")
        before = len(scene.slack.requests)
        scene.ben.say(scene.general, "not for you", thread=others)
        await scene.slack.until(lambda: scene.slack.delivery.settled)
        assert "conversations.replies" not in {c.method for c in scene.slack.requests[before:]}
        await scene.answer_to(scene.ben.say(scene.general, "and more?", thread=question))
    assert len(scene.inference.requests) == 2


async def test_at_its_end_the_bot_lets_running_answers_finish(
    either_of_process: Scene,
) -> None:
    either = either_of_process
    go_on = asyncio.Event()
    either.script(Say("One "), Wait(go_on), Say("two."))
    question = either.ann.say(either.general, "@bot hi")
    await either.general.next_message()
    either.bot.stop()
    await either.bot.err.see("stopping")
    go_on.set()
    assert (await either.answer_to(question)).text.startswith("One two.")
    assert await either.bot.exit_code() == 0


async def test_many_workspaces_install_by_oauth_and_each_is_answered(running: Running) -> None:
    async with running(http=True, prepare=oauth) as scene:
        base = scene.slack.http.url.removesuffix("/events")
        other = scene.slack.workspace("Other", installed=False)
        carl = other.member("Carl")
        for person in (scene.ann, carl):
            status, _ = await scene.slack.oauth.install(person, f"{base}/install")
            assert status == 200
        lounge = other.channel("lounge")
        assert (await scene.ask("hi")).text.startswith("Hello there.")
        answer = await scene.answer_to(carl.say(lounge, "@bot hi"))
        assert answer.text.startswith("Hello there.")


async def test_a_workspace_that_removes_the_app_takes_its_tokens_along(running: Running) -> None:
    async with running(http=True, prepare=oauth) as scene:
        scene.slack.app.events |= {"app_uninstalled", "tokens_revoked"}
        base = scene.slack.http.url.removesuffix("/events")
        await scene.slack.oauth.install(scene.ann, f"{base}/install")
        await scene.ask("hi")
        token = scene.slack.installed(scene.team).token
        database = scene.folder / "bot.db"
        with sqlite3.connect(database) as connection:
            (stored,) = connection.execute("SELECT bot_token FROM slack_bots").fetchone()
        assert token not in stored
        assert token.encode() not in database.read_bytes()
        scene.slack.uninstall(scene.team)
        await _nothing_stays_stored(database)


@pytest.mark.parametrize("org_wide", [False, True])
@pytest.mark.parametrize("event", ["app_uninstalled", "tokens_revoked"])
async def test_either_event_takes_the_tokens_along(
    running: Running, event: str, org_wide: bool
) -> None:
    async with running(http=True, prepare=oauth) as scene:
        scene.slack.app.events |= {event}
        base = scene.slack.http.url.removesuffix("/events")
        team = scene.slack.grid("Org", installed=False).workspace("Docks")
        eve = team.member("Eve")
        await scene.slack.oauth.install(eve, f"{base}/install", org_wide=org_wide)
        assert _stored_rows(scene.folder / "bot.db") == 2
        tokens = {"tokens": {"bot": [team.bot.id]}} if event == "tokens_revoked" else {}
        scene.slack.tell(event, {"type": event} | tokens, team)
        await _nothing_stays_stored(scene.folder / "bot.db")


async def _nothing_stays_stored(database: Path) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while _stored_rows(database):  # noqa: ASYNC110 (another process's database: no event)
            await asyncio.sleep(0.05)


def _stored_rows(database: Path) -> int:
    with sqlite3.connect(database) as connection:
        tables = ("slack_bots", "slack_installations")
        counts = [connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables]
    return sum(counts)


async def test_a_bot_with_one_token_says_that_the_app_was_removed(scene: Scene) -> None:
    scene.slack.app.events |= {"app_uninstalled"}
    scene.slack.uninstall(scene.team)
    await scene.bot.err.see("slack: the app was removed")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("not_in_channel", "chat.startStream: not_in_channel: the bot is not in the channel"),
        ("channel_not_found", "chat.startStream: channel_not_found: the channel is gone"),
        ("account_inactive", "chat.startStream: account_inactive: the app was removed"),
        ("token_revoked", "chat.startStream: token_revoked: the token was revoked"),
    ],
)
async def test_what_slack_refuses_is_one_clear_line(scene: Scene, error: str, line: str) -> None:
    for method in ("chat.startStream", "chat.postMessage"):
        scene.slack.fail(method, error, times=None)
    go_on = asyncio.Event()
    scene.script(Say("Hello "), Wait(go_on), Say("there."))  # what comes whole needs no stream
    scene.ann.say(scene.general, "@bot hi")
    await scene.bot.err.see(line)
    go_on.set()
    await scene.bot.err.see(line.replace("startStream", "postMessage"))


async def test_more_calls_than_slack_allows_wait_as_it_says(scene: Scene) -> None:
    for method in ("chat.startStream", "chat.stopStream", "users.info"):
        scene.slack.fail(method, "ratelimited", retry_after=1)
    assert (await scene.ask("hi")).text.startswith("Hello there.")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"bot_token": "xoxb-wrong"}, "slack.bot_token: Slack does not accept it (invalid_auth)"),
        ({"app_token": "xapp-wrong"}, "slack.app_token: Slack does not accept it (invalid_auth)"),
        ({"app_token": ""}, "slack: set slack.app_token (Socket Mode), or slack.listen"),
        ({"app_token": "", "listen": "127.0.0.1:1"}, "slack.listen needs slack.signing_secret"),
        ({"bot_token": "", "client_id": "1.1"}, "slack.client_id needs slack.token_key"),
    ],
)
async def test_what_is_wrong_in_the_configuration_is_one_line(
    tmp_path: Path, change: dict[str, str], line: str
) -> None:
    async with SlackDouble().running() as double:
        double.workspace("Home")
        slack = {"bot_token": double.bot_token, "app_token": double.app_token}
        slack |= {"api_url": double.api_url} | change
        config = write_config(tmp_path, slack=slack, inference={"url": NOBODY})
        async with in_process(config) as bot:
            assert await bot.exit_code() == ExitCode.UNUSABLE
            assert line in bot.err.text


async def test_an_address_that_is_taken_is_one_line(tmp_path: Path) -> None:
    async with SlackDouble().running() as double:
        double.workspace("Home")
        taken = socket.create_server(("127.0.0.1", 0))
        listen = "{}:{}".format(*taken.getsockname())
        slack = {"bot_token": double.bot_token, "signing_secret": "secret", "listen": listen}
        slack |= {"api_url": double.api_url}
        config = write_config(tmp_path, slack=slack, inference={"url": NOBODY})
        with taken:
            async with in_process(config) as bot:
                assert await bot.exit_code() == ExitCode.FAILURE
                assert f"slack.listen: {listen} can't be used" in bot.err.text


async def test_scopes_that_are_missing_are_told_at_the_start(running: Running) -> None:
    def fewer(double: SlackDouble, team: Workspace, general: Channel) -> dict[str, Any]:
        double.installations[0].scopes.discard("files:read")
        return {}

    async with running(prepare=fewer) as scene:
        assert '"missing": ["files:read"]' in scene.bot.err.text


async def test_a_missing_subscription_for_stop_is_told(running: Running) -> None:
    def unheard(double: SlackDouble, team: Workspace, general: Channel) -> dict[str, Any]:
        double.app.events.discard("agent_session_stopped")
        return {}

    async with running(prepare=unheard) as scene:
        await scene.ask("hi")
        assert "subscribe to agent_session_stopped" in scene.bot.err.text


async def test_the_bot_works_with_the_manifest_alone(
    running: Running, manifest: dict[str, Any]
) -> None:
    def use(double: SlackDouble, team: Workspace, general: Channel) -> dict[str, Any]:
        double.app.use_manifest(manifest)
        double.installations[0].scopes = set(double.app.scopes)
        return {}

    assert set(manifest["oauth_config"]["scopes"]["bot"]) >= {*SCOPES, GROUPS_SCOPE}
    async with running(prepare=use) as scene:
        assert (await scene.ask("hi")).text.startswith("Hello there.")
        assert "missing" not in scene.bot.err.text


async def test_the_log_has_no_token_and_no_message_text(either: Scene) -> None:
    await either.ask("a-secret-question")
    slack = either.slack
    secrets = [slack.bot_token, slack.app_token, slack.signing_secret, "a-secret-question"]
    assert [secret for secret in secrets if secret in either.bot.err.text] == []


async def test_an_organisation_wide_installation_is_answered_in_each_workspace(
    running: Running,
) -> None:
    async with running(http=True, prepare=oauth) as scene:
        base = scene.slack.http.url.removesuffix("/events")
        grid = scene.slack.grid("Org", installed=False)
        sales, support = grid.workspace("Sales"), grid.workspace("Support")
        await scene.slack.oauth.install(sales.member("Sam"), f"{base}/install", org_wide=True)
        for workspace in (sales, support):
            person, channel = workspace.member("Kim"), workspace.channel("general")
            answer = await scene.answer_to(person.say(channel, "@bot hi"))
            assert answer.text.startswith("Hello there.")


async def test_every_way_to_an_answer_meets_the_quota(running: Running) -> None:
    async with running(quotas={"user": {"requests": 1}}) as scene:
        question = scene.ann.say(scene.general, "@bot one")
        answer = await scene.answer_to(question)
        for button in ("Regenerate", "Try harder"):
            seen = len(scene.ann.ephemerals)
            await scene.ann.click(answer, button).acknowledged()
            await scene.slack.until(lambda seen=seen: len(scene.ann.ephemerals) > seen)
            assert "limit" in scene.ann.ephemerals[-1].text
        again = await scene.ann.slash(scene.general, "/bot-regenerate").response
        assert isinstance(again, Message)
        assert "limit" in again.text
        seen = len(scene.ann.ephemerals)
        scene.ann.edit(question, "@bot one, please")
        await scene.slack.until(lambda: len(scene.ann.ephemerals) > seen)
        assert "limit" in scene.ann.ephemerals[-1].text
        assert len(scene.inference.requests) == 1
        assert answer.text.startswith("Hello there.")


async def test_of_a_burst_only_as_many_are_answered_as_the_quota_has(running: Running) -> None:
    async with running(quotas={"user": {"requests": 2}}) as scene:
        questions = [scene.ann.say(scene.general, f"@bot {n}") for n in range(8)]
        await scene.slack.until(lambda: len(scene.ann.ephemerals) == 6)
        await scene.slack.until(
            lambda: sum(any(map(ended, question.replies)) for question in questions) == 2
        )
        assert len(scene.inference.requests) == 2


async def test_who_is_blocked_changes_nothing_by_slash_command(running: Running) -> None:
    people: list[Person] = []

    def block(double: SlackDouble, team: Workspace, general: Channel) -> dict[str, Any]:
        people.append(team.member("Mia", admin=True))
        return {"access": {"block": {"users": [people[0].id]}}}

    async with running(prepare=block) as scene:
        told = await people[0].slash(scene.general, "/bot-effort high").response
        assert isinstance(told, Message)
        assert "can't ask" in told.text
        await scene.ask("hi")
        assert scene.inference.requests[0]["reasoning_effort"] == "medium"
