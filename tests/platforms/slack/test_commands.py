"""Slash commands, commands as text, forms and the Home tab."""

from typing import Any

import pytest

from tests.doubles.slack import Channel, Person, SlackDouble, View, Workspace, web_people
from tests.doubles.slack.payloads import user_payload
from tests.doubles.slack.state import Payload, User
from tests.platforms.slack.conftest import Running, Scene


async def said(person: Person, channel: Channel, command: str) -> str:
    """The answer to a slash command."""
    response = await person.slash(channel, command).response
    assert not isinstance(response, View)
    return response.text


def admin(scene: Scene) -> Person:
    return scene.team.member("Ada", admin=True)


async def form_of(person: Person, channel: Channel, command: str) -> View:
    response = await person.slash(channel, command).response
    assert isinstance(response, View)
    return response


async def test_effort_is_set_for_the_channel_by_an_admin(either: Scene) -> None:
    assert "high" in await said(admin(either), either.general, "/effort high")
    await either.ask("hi")
    assert either.inference.requests[0]["reasoning_effort"] == "high"


async def test_a_channels_settings_need_an_admin(scene: Scene) -> None:
    answer = await said(scene.ann, scene.general, "/effort high")
    assert "Only moderators can change" in answer


async def test_members_of_an_allowed_group_may_change_a_channel(running: Running) -> None:
    def group(double: SlackDouble, team: Workspace, general: Channel) -> dict[str, Any]:
        double.installations[0].scopes.add("usergroups:read")
        leads = team.group("leads", next(u for u in team.users.values() if u.name == "Ann"))
        return {"slack": {"moderator_groups": [leads.id]}}

    async with running(prepare=group) as scene:
        assert "high" in await said(scene.ann, scene.general, "/effort high")
        assert "Only moderators" in await said(scene.ben, scene.general, "/effort low")


async def test_an_admin_of_another_workspace_is_no_admin_here(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(user: User) -> Payload:
        return user_payload(user) | {"team_id": "T0ELSEWHERE", "is_stranger": True}

    monkeypatch.setattr(web_people, "user_payload", elsewhere)
    assert "Only administrators" in await said(admin(scene), scene.general, "/effort high server")


async def test_the_workspaces_settings_need_an_admin(scene: Scene) -> None:
    answer = await said(scene.ann, scene.general, "/effort high server")
    assert "Only administrators" in answer


async def test_a_command_typed_in_a_thread_sets_the_thread(either: Scene) -> None:
    question = either.ann.say(either.general, "@bot one")
    await either.answer_to(question)
    told = await either.told(either.ann.say(either.general, "@bot /effort high", thread=question))
    assert "Effort is now high for this thread" in told
    await either.answer_to(either.ann.say(either.general, "two", thread=question))
    assert either.inference.requests[-1]["reasoning_effort"] == "high"
    assert len(either.inference.requests) == 2


async def test_settings_tell_where_each_value_comes_from(scene: Scene) -> None:
    answer = await said(scene.ann, scene.general, "/settings")
    assert "*Persona: default* (the default)" in answer


async def test_status_help_and_privacy_are_seen_by_the_person_alone(scene: Scene) -> None:
    for command, part in (
        ("/status", "Model: scripted"),
        ("/help", "/bot-effort"),
        ("/privacy", "neither stored nor logged"),
    ):
        given = scene.ann.slash(scene.general, command)
        response = await given.response
        assert part in response.text
        assert response.visible_to is scene.ann  # type: ignore[union-attr]


async def test_a_mistyped_command_says_what_was_meant(scene: Scene) -> None:
    told = await scene.told(scene.ann.say(scene.general, "@bot /efort high"))
    assert "Did you mean /bot-effort?" in told


async def test_a_persona_is_made_in_a_form_and_used(either: Scene) -> None:
    ada = admin(either)
    form = await form_of(ada, either.general, "/persona create")
    sent = ada.submit(form, {"Name": "pirate", "System prompt": "Arr."})
    await sent.acknowledged()
    await either.slack.until(lambda: ada.ephemerals)
    assert "Saved pirate, version 1" in ada.ephemerals[0].text
    await said(ada, either.general, "/persona use pirate")
    await either.ask("hi")
    assert either.last_prompt()[0]["content"].startswith("Arr.")


async def test_the_form_for_editing_begins_with_what_there_is(scene: Scene) -> None:
    form = await form_of(admin(scene), scene.general, "/persona edit riddles")
    assert form.values["System prompt"] == "Always respond in riddles"


async def test_what_is_wrong_in_a_form_is_shown_in_it(scene: Scene) -> None:
    ada = admin(scene)
    form = await form_of(ada, scene.general, "/persona create")
    sent = ada.submit(form, {"Name": "No Name!", "System prompt": "Arr."})
    await sent.acknowledged()
    assert "1 to 32 of a-z" in " ".join(sent.errors.values())
    assert form.open


async def test_a_form_opens_only_for_who_may_save(scene: Scene) -> None:
    assert "Only administrators" in await said(scene.ann, scene.general, "/persona create")


async def test_a_persona_can_be_made_in_one_line_too(scene: Scene) -> None:
    ada = admin(scene)
    answer = await said(ada, scene.general, "/persona create pirate Talk like a pirate.")
    assert "Saved pirate, version 1" in answer


async def test_each_save_is_a_version_that_can_be_undone(scene: Scene) -> None:
    ada = admin(scene)
    for prompt in ("One.", "Two."):
        form = await form_of(ada, scene.general, "/persona edit riddles")
        await ada.submit(form, {"System prompt": prompt}).acknowledged()
    assert "version 2" in await said(ada, scene.general, "/persona history riddles")
    await said(ada, scene.general, "/persona undo riddles")
    assert "One." in await said(ada, scene.general, "/persona show riddles")


async def test_the_home_tab_shows_what_is_in_effect_and_the_personas(either: Scene) -> None:
    either.ann.open_home()
    await either.slack.until(lambda: either.ann.home)
    assert either.ann.home
    assert "*Persona: default*" in either.ann.home.text
    assert "written by an AI and can be wrong" in either.ann.home.text
    assert "/bot-effort high workspace" in either.ann.home.text
    assert "riddles" in either.ann.home.text
    assert "written by an AI and can be wrong" in either.ann.home.text


async def test_a_persona_is_edited_from_the_home_tab(scene: Scene) -> None:
    ada = admin(scene)
    ada.open_home()
    home = await scene.slack.until(lambda: ada.home)
    form = await ada.click(home, "New persona").response
    assert isinstance(form, View)
    await ada.submit(form, {"Name": "pirate", "System prompt": "Arr."}).acknowledged()
    await scene.slack.until(lambda: "pirate" in home.text)


async def test_new_starts_ones_own_thread_over(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot my name is Ann")
    await scene.answer_to(question)
    refused = await scene.told(scene.ben.say(scene.general, "@bot /new", thread=question))
    assert "Only moderators" in refused
    assert "starts over" in await scene.told(
        scene.ann.say(scene.general, "@bot /new", thread=question)
    )
    await scene.answer_to(scene.ann.say(scene.general, "who am I?", thread=question))
    assert "my name is Ann" not in str(scene.last_prompt())


async def test_regenerate_answers_the_last_question_again(scene: Scene) -> None:
    answer = await scene.ask("hi")
    await said(scene.ann, scene.general, "/regenerate")
    await scene.slack.until(lambda: len(scene.inference.requests) == 2)
    await scene.slack.until(lambda: "Delete" in answer.buttons)


@pytest.mark.parametrize("command", ["/stop", "/regenerate"])
async def test_where_there_is_nothing_to_do_a_command_says_so(scene: Scene, command: str) -> None:
    answer = await said(scene.ann, scene.general, command)
    assert "not writing an answer for you" in answer or "haven't asked anything here" in answer


LONGEST = "- Name the berth. " * 444 + "END."
"""A persona of nearly the 8,000 characters that are allowed."""


async def test_a_persona_longer_than_an_input_survives_its_form(scene: Scene) -> None:
    ada = admin(scene)
    made = ada.say(scene.general, f"@bot /persona create berthing {LONGEST}")
    assert "berthing" in await scene.told(made)
    form = await form_of(ada, scene.general, "/persona edit berthing")
    await ada.submit(form, {}).acknowledged()
    assert "berthing" in await said(ada, scene.general, "/persona use berthing server")
    await scene.ask("where?")
    assert scene.last_prompt()[0]["content"].startswith(LONGEST)
