"""What the bot asks Slack beside a question: it costs no answer where Slack doesn't tell."""

from typing import Any

import pytest

from bot.platforms.slack import thread_status, workspace
from tests.doubles.slack import Channel, SlackDouble, Workspace
from tests.doubles.slack.state import File
from tests.platforms.slack.conftest import Running, Scene


@pytest.mark.parametrize("error", ["user_not_visible", "user_not_found", "missing_scope", "404"])
async def test_a_person_of_whom_slack_tells_nothing_is_answered_as_a_member(
    scene: Scene, error: str
) -> None:
    scene.slack.fail("users.info", error, times=None)
    ada = scene.team.member("Ada", admin=True)
    question = ada.say(scene.general, "@bot and is @Ben right?")
    answer = await scene.answer_to(question)
    assert answer.text.startswith("Hello there.")
    assert scene.ben.id in scene.last_prompt()[-1]["content"]
    await scene.slack.until(lambda: scene.general.status(question) == "")
    ada.say(scene.general, "@bot /effort high server", thread=question)
    await scene.slack.until(lambda: ada.ephemerals)
    assert "Only administrators" in ada.ephemerals[0].text


async def test_a_person_of_whom_slack_tells_nothing_in_time_is_asked_about_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "LOOK_UP_SECONDS", 0.05)
    monkeypatch.setattr(workspace, "PAUSE_SECONDS", 0.0)
    scene.slack.fail("users.info", "ratelimited", retry_after=600)
    assert (await scene.ask("hi")).text.startswith("Hello there.")
    monkeypatch.undo()
    begun = scene.ben.say(scene.general, "I like tea.")
    await scene.ask("and what do I like?", thread=begun)
    assert "Ann" in str(scene.last_prompt())


@pytest.mark.parametrize("error", ["missing_scope", "503", "ratelimited"])
async def test_a_file_of_which_slack_tells_nothing_costs_a_line_but_no_answer(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    monkeypatch.setattr(workspace, "LOOK_UP_SECONDS", 0.05)
    scene.slack.fail("files.info", error, times=None, retry_after=600)
    file = File("tides.txt", b"05:26", scene.team, told={"file_access": "check_file_info"})
    answer = await scene.ask("when?", files=[file])
    assert answer.text.startswith("Hello there.")
    assert "couldn't download a file" in answer.text


@pytest.mark.parametrize("method", ["assistant.threads.setStatus", "agents.sessions.setStatus"])
async def test_what_only_shows_that_an_answer_comes_is_not_waited_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(thread_status, "SHOW_SECONDS", 0.05)
    scene.slack.fail(method, "ratelimited", retry_after=600)
    assert (await scene.ask("hi")).text.startswith("Hello there.")


@pytest.mark.parametrize("error", ["missing_scope", "no_such_subteam", "paid_teams_only"])
async def test_a_group_that_can_not_be_read_makes_nobody_a_moderator_and_is_told_once(
    running: Running, error: str
) -> None:
    def refused(double: SlackDouble, team: Workspace, general: Channel) -> dict[str, Any]:
        double.fail("usergroups.users.list", error, times=None, needed="usergroups:read")
        return {"slack": {"moderator_groups": ["S0DOCKERS"]}}

    async with running(prepare=refused) as scene:
        for person in (scene.ann, scene.ben):
            assert (await scene.ask("hi", person)).text.startswith("Hello there.")
        await scene.ann.slash(scene.general, "/effort high").acknowledged()
        await scene.slack.until(lambda: scene.ann.ephemerals)
        assert "Only moderators" in scene.ann.ephemerals[0].text
        lines = [line for line in scene.bot.err.text.splitlines() if "S0DOCKERS" in line]
        assert len(lines) == 1
        assert error in lines[0]
        assert "usergroups:read" in lines[0]
