"""Slash commands, forms and the message menu."""

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

from tests.doubles.discord import Channel, Modal, Person
from tests.doubles.inference import Say, Wait
from tests.end_to_end.in_process import in_process
from tests.platforms.discord.conftest import Running, Scene, ended


async def say(person: Person, channel: Channel, name: str, /, **options: Any) -> str:
    """The answer to a slash command."""
    given = person.slash(channel, name, **options)
    await given.acknowledged()
    await channel.world.until(lambda: any(not m.loading for m in given.messages))
    return "\n".join(m.text for m in given.messages)


def admin(scene: Scene) -> Person:
    return scene.guild.member("Ada", "manage_guild", "manage_channels")


async def test_effort_is_set_for_the_channel_and_its_answer_is_private(scene: Scene) -> None:
    given = admin(scene).slash(scene.general, "effort", level="high")
    await scene.discord.until(lambda: given.messages and not given.messages[0].loading)
    assert "high" in given.messages[0].text
    assert given.messages[0].ephemeral
    await scene.ask("hi")
    assert scene.inference.requests[0]["reasoning_effort"] == "high"


async def test_a_channels_settings_need_manage_channels(scene: Scene) -> None:
    assert "Only moderators" in await say(scene.ann, scene.general, "effort", level="high")


async def test_who_may_change_a_channel_can_be_configured(running: Running) -> None:
    permissions = {"change_channel": "everyone"}
    async with running(defaults={"permissions": permissions}) as scene:
        assert "now high" in await say(scene.ann, scene.general, "effort", level="high")


async def test_the_servers_settings_need_manage_server(scene: Scene) -> None:
    mo = scene.guild.member("Mo", "manage_channels")
    answer = await say(mo, scene.general, "persona use", name="riddles", scope="server")
    assert "Only administrators" in answer


async def test_personas_are_proposed_while_typing(scene: Scene) -> None:
    proposed = await scene.ann.complete(scene.general, "persona use", name="rid").response
    assert proposed == ["riddles"]


async def test_a_persona_is_made_in_a_form_and_used(scene: Scene) -> None:
    ada = admin(scene)
    form = await ada.slash(scene.general, "persona create").response
    assert isinstance(form, Modal)
    sent = ada.submit(form, {"Name": "pirate", "System prompt": "Arr."})
    await scene.discord.until(lambda: sent.messages and not sent.messages[0].loading)
    assert "Saved pirate, version 1" in sent.messages[0].text
    await say(ada, scene.general, "persona use", name="pirate")
    await scene.ask("hi")
    assert scene.inference.prompts[0][0]["content"].startswith("Arr.")


async def test_the_form_for_editing_begins_with_what_there_is(scene: Scene) -> None:
    form = await admin(scene).slash(scene.general, "persona edit", name="riddles").response
    assert isinstance(form, Modal)
    assert form.values["System prompt"] == "Always respond in riddles"


async def test_each_save_is_a_new_version_that_can_be_undone(scene: Scene) -> None:
    ada = admin(scene)
    for prompt in ("One.", "Two."):
        form = await ada.slash(scene.general, "persona edit", name="riddles").response
        sent = ada.submit(form, {"System prompt": prompt})
        await scene.discord.until(lambda sent=sent: sent.messages and not sent.messages[0].loading)
    assert "version 2" in await say(ada, scene.general, "persona history", name="riddles")
    await say(ada, scene.general, "persona undo", name="riddles")
    assert "One." in await say(ada, scene.general, "persona show", name="riddles")


async def test_a_refused_form_can_be_edited_again(scene: Scene) -> None:
    ada = admin(scene)
    form = await ada.slash(scene.general, "persona create").response
    sent = ada.submit(form, {"Name": "No Name!", "System prompt": "Arr."})
    await scene.discord.until(lambda: sent.messages and sent.messages[-1].buttons)
    assert "1 to 32 of a-z" in sent.messages[-1].text
    again = await ada.click(sent.messages[-1], "Edit again").response
    assert again.values["System prompt"] == "Arr."


async def test_a_form_opens_only_for_who_may_save(scene: Scene) -> None:
    answer = await scene.ann.slash(scene.general, "persona create").response
    assert "Only administrators" in answer.text
    assert answer.ephemeral


async def test_a_refusal_is_seen_by_the_person_alone_where_the_answer_is_for_all(
    scene: Scene,
) -> None:
    for options in ({"level": "high"}, {"level": "high", "scope": "server"}):
        given = scene.ann.slash(scene.general, "effort", **options)
        await scene.discord.until(lambda g=given: g.messages and not g.messages[-1].loading)
        assert all(message.ephemeral for message in given.messages)


async def test_every_message_of_a_private_answer_is_private(running: Running) -> None:
    prompt = "Reckon tides in feet and name the sluice. " * 76
    async with running(personas={"tidewatch": prompt}) as scene:
        given = scene.ann.slash(scene.general, "persona show", name="tidewatch")
        await scene.discord.until(lambda: len(given.messages) == 2)
        assert "".join(m.text for m in given.messages).count("Reckon") == 76
        assert all(message.ephemeral for message in given.messages)


async def test_settings_tell_where_each_value_comes_from(scene: Scene) -> None:
    await say(admin(scene), scene.general, "effort", level="low", scope="server")
    answer = await say(scene.ann, scene.general, "settings")
    assert "**Effort: low** (set for this server)" in answer


async def test_stop_stops_ones_own_answer(scene: Scene) -> None:
    scene.script(Say("One "), Wait(asyncio.Event()))
    scene.ann.say(scene.general, "@bot hi")
    await scene.discord.until(lambda: scene.inference.requests)
    assert "Stopping" in await say(scene.ann, scene.general, "stop")
    await scene.inference.cancelled.wait()


async def test_regenerate_answers_the_last_question_again(scene: Scene) -> None:
    answer = await scene.ask("hi")
    scene.script(Say("Another."))
    await say(scene.ann, scene.general, "regenerate")
    await scene.discord.until(lambda: answer.text.startswith("Another.") and ended(answer))


async def test_new_starts_the_conversation_over(scene: Scene) -> None:
    first = await scene.ask("one")
    mo = scene.guild.member("Mo", "manage_channels")
    assert "Only moderators" in await say(scene.ann, scene.general, "new")
    assert "starts over" in await say(mo, scene.general, "new")
    await scene.answer_to(scene.ann.say(scene.general, "two", reply_to=first))
    assert [m["content"] for m in scene.inference.prompts[1][1:]] == ["two"]


async def test_status_tells_model_and_uptime(scene: Scene) -> None:
    answer = await say(scene.ann, scene.general, "status")
    assert "Model: scripted" in answer
    assert "Running for" in answer


async def test_privacy_and_help_are_seen_by_the_person_alone(scene: Scene) -> None:
    for name, text in (("privacy", "neither stored nor logged"), ("help", "/persona use")):
        given = scene.ann.slash(scene.general, name)
        await scene.discord.until(lambda g=given: g.messages and not g.messages[0].loading)
        assert text in given.messages[0].text
        assert given.messages[0].ephemeral


async def test_a_command_typed_after_a_mention_works_too(scene: Scene) -> None:
    question = admin(scene).say(scene.general, "@bot /effort high")
    assert "now high" in await scene.told(question)


async def test_a_typed_help_keeps_its_form_and_is_no_part_of_the_conversation(
    scene: Scene,
) -> None:
    question = scene.ann.say(scene.general, "@bot /help")
    told = await scene.told(question)
    assert told.startswith("```\n")
    assert "-#" not in told
    answered = scene.ann.say(scene.general, "@bot hi", reply_to=question.replies[0])
    await scene.answer_to(answered)
    assert "mention me" not in str(scene.inference.prompts[-1][1:])


async def test_a_question_about_a_message_is_asked_in_a_form(scene: Scene) -> None:
    said = scene.ben.say(scene.general, "E = mc²")
    form = await scene.ann.use(said, "Ask about this").response
    assert isinstance(form, Modal)
    sent = scene.ann.submit(form, {"Your question": "Why?"})
    await scene.discord.until(lambda: sent.messages and ended(sent.messages[-1]))
    assert "Hello there." in sent.messages[-1].text
    assert "Ann asks: Why?" in sent.messages[-1].text
    contents = [m["content"] for m in scene.inference.prompts[0][1:]]
    assert "E = mc²" in contents[0]


async def test_commands_are_registered_once_for_servers_and_users(scene: Scene) -> None:
    assert scene.discord.commands.syncs == 1
    scene.bot.stop()
    assert await scene.bot.exit_code() == 0
    async with in_process(scene.folder / "bot.yaml") as bot:
        await bot.err.see("discord is connected")
        assert scene.discord.commands.syncs == 1


async def test_deleting_a_persona_of_the_configuration_is_refused(scene: Scene) -> None:
    answer = await say(admin(scene), scene.general, "persona delete", name="riddles")
    assert "configuration file" in answer


async def test_installed_by_a_user_it_answers_where_the_bot_is_no_member(scene: Scene) -> None:
    elsewhere = scene.discord.guild("Elsewhere", has_bot=False)
    lounge = elsewhere.channel("lounge")
    elsewhere.join(scene.ann)

    assert "model: scripted" in (await say(scene.ann, lounge, "status")).lower()
    message = scene.ann.say(lounge, "Look at this.")
    form = await scene.ann.use(message, "Ask about this").response
    asked = scene.ann.submit(form, {})
    await scene.discord.until(lambda: asked.messages and ended(asked.messages[0]))
    assert "Hello there." in asked.messages[0].text


async def test_commands_work_in_a_direct_message(scene: Scene) -> None:
    assert "high" in await say(scene.ann, scene.ann.dms, "effort", level="high")
    await scene.answer_to(scene.ann.dm("hi"))
    assert scene.inference.requests[0]["reasoning_effort"] == "high"


async def test_a_busy_database_does_not_lose_what_was_written_in_a_form(scene: Scene) -> None:
    ada = admin(scene)
    form = await ada.slash(scene.general, "persona create").response
    with closing(sqlite3.connect(scene.folder / "bot.db")) as locked:
        locked.execute("BEGIN EXCLUSIVE")
        sent = ada.submit(form, {"Name": "pirate", "System prompt": "Arr."})
        await scene.discord.until(lambda: any(m.buttons for m in sent.messages))
    again = await ada.click(sent.messages[-1], "Edit again").response
    assert again.values["System prompt"] == "Arr."


LONGEST = "- Name the berth. " * 444 + "END."
"""A persona of nearly the 8,000 characters that are allowed."""


async def test_a_persona_longer_than_an_input_survives_its_form(running: Running) -> None:
    async with running(personas={"berthing": LONGEST}) as scene:
        ada = admin(scene)
        form = await ada.slash(scene.general, "persona edit", name="berthing").response
        assert isinstance(form, Modal)
        sent = ada.submit(form, {})
        await sent.response
        used = ada.slash(scene.general, "persona use", name="berthing", scope="server")
        await used.response
        await scene.ask("where?")
        assert scene.inference.prompts[-1][0]["content"].startswith(LONGEST)


async def test_more_than_a_persona_may_have_can_be_edited_again(running: Running) -> None:
    prompt = f"{'x' * 3999} {'y' * 4000}"
    async with running(personas={"berthing": prompt}) as scene:
        ada = admin(scene)
        form = await ada.slash(scene.general, "persona edit", name="berthing").response
        assert isinstance(form, Modal)
        prompts = [label for label in form.inputs if label.startswith("System prompt")]
        assert len(prompts) == 3
        refused = await ada.submit(form, dict.fromkeys(prompts, "z" * 4000)).response
        again = await ada.click(refused, refused.buttons[0]).response
        assert isinstance(again, Modal)
        assert "".join(again.values[label] for label in prompts) == "z" * 12_000
