"""Who may ask, what the bot may do, and what happens when Discord fails."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.exit_code import ExitCode
from tests.doubles.discord import Channel, DiscordDouble, Guild, Person
from tests.doubles.inference import Say, Wait
from tests.end_to_end.in_process import in_process
from tests.end_to_end.processes import NOBODY, write_config
from tests.platforms.discord.conftest import Running, Scene, ended


@pytest.mark.parametrize("kind", ["servers", "channels", "categories", "users", "roles"])
async def test_whoever_is_blocked_gets_one_line(running: Running, kind: str) -> None:
    people: list[Person] = []
    places: list[Channel] = []

    def block(double: DiscordDouble, guild: Guild, general: Channel) -> dict[str, Any]:
        category, role = guild.category("Work"), guild.role("Muted")
        places.append(guild.channel("reports", category))
        people.append(guild.member("Mia", roles=(role,)))
        ids = {
            "servers": guild.id,
            "channels": places[0].id,
            "categories": category.id,
            "users": people[0].id,
            "roles": role.id,
        }
        return {"access": {"block": {kind: [ids[kind]]}}}

    async with running(prepare=block) as scene:
        question = people[0].say(places[0], "@bot hi")
        assert "You can't ask me here" in await scene.told(question)
        assert scene.inference.requests == []


async def test_whoever_is_blocked_is_told_once_and_then_left_alone(running: Running) -> None:
    def block(double: DiscordDouble, guild: Guild, general: Channel) -> dict[str, Any]:
        return {"access": {"block": {"channels": [general.id]}}}

    async with running(prepare=block) as scene:
        assert "can't ask" in await scene.told(scene.ann.say(scene.general, "@bot hi"))
        again = [scene.ann.say(scene.general, f"@bot {said}") for said in ("hi", "/effort high")]
        assert "can't ask" in await scene.told(scene.ben.say(scene.general, "@bot hi"))
        assert [question.replies for question in again] == [[], []]
        assert scene.inference.requests == []


async def test_only_those_with_an_allowed_role_may_ask(running: Running) -> None:
    members: list[Person] = []

    def allow(double: DiscordDouble, guild: Guild, general: Channel) -> dict[str, Any]:
        role = guild.role("Members")
        members.append(guild.member("Mia", roles=(role,)))
        return {"access": {"allow": {"roles": [role.id]}}}

    async with running(prepare=allow) as scene:
        assert "can't ask" in await scene.told(scene.ann.say(scene.general, "@bot hi"))
        assert (await scene.ask("hi", members[0])).text.startswith("Hello there.")


async def test_only_allowed_channels_are_answered(running: Running) -> None:
    def allow(double: DiscordDouble, guild: Guild, general: Channel) -> dict[str, Any]:
        return {"access": {"allow": {"channels": [general.id]}}}

    async with running(prepare=allow) as scene:
        other = scene.guild.channel("other")
        assert "can't ask" in await scene.told(scene.ann.say(other, "@bot hi"))
        assert (await scene.ask("hi")).text.startswith("Hello there.")


async def test_a_refused_command_of_the_message_menu_is_seen_by_the_person_alone(
    running: Running,
) -> None:
    def block(double: DiscordDouble, guild: Guild, general: Channel) -> dict[str, Any]:
        return {"access": {"block": {"servers": [guild.id]}}}

    async with running(prepare=block) as scene:
        message = scene.ben.say(scene.general, "Look at this.")
        shown = await scene.ann.use(message, "Ask about this").response
        assert shown.ephemeral
        assert "can't ask" in shown.text


async def test_direct_messages_can_be_off(running: Running) -> None:
    async with running(access={"direct_messages": False}) as scene:
        assert "don't answer direct messages" in await scene.told(scene.ann.dm("hi"))


async def test_a_used_up_quota_says_when_it_starts_anew(running: Running) -> None:
    async with running(quotas={"user": {"requests": 1}}) as scene:
        await scene.ask("one")
        told = await scene.told(scene.ann.say(scene.general, "@bot two"))
        assert "Try again in" in told
        assert (await scene.ask("three", scene.ben)).text.startswith("Hello there.")


async def test_a_servers_quota_of_tokens_holds_for_all(running: Running) -> None:
    async with running(quotas={"server": {"tokens": 10}}) as scene:
        await scene.ask("one")
        told = await scene.told(scene.ben.say(scene.general, "@bot two"))
        assert "This server has reached its limit" in told


async def test_where_it_cannot_send_the_owner_is_told_once(scene: Scene) -> None:
    scene.general.deny("send_messages")
    scene.ann.say(scene.general, "@bot hi")
    owner = scene.discord.owner
    told = await scene.discord.until(lambda: next(iter(owner.dms.from_bot), None))
    assert "Send Messages" in told.text
    assert scene.general.name in told.text


async def test_without_the_right_to_open_threads_it_answers_in_the_channel(
    running: Running,
) -> None:
    async with running(defaults={"answer": "thread"}) as scene:
        scene.general.deny("create_public_threads")
        answer = await scene.ask("hi")
        assert answer.channel is scene.general
        assert "Create Public Threads" in answer.text


@pytest.mark.parametrize(
    ("permission", "named"),
    [("embed_links", "Embed Links"), ("read_message_history", "Read Message History")],
)
async def test_a_missing_permission_is_told_once_and_the_rest_goes_on(
    running: Running, permission: str, named: str
) -> None:
    async with running(defaults={"show_reasoning": True}) as scene:
        scene.inference.default = [Say(reasoning="Hm."), Say("Answered.")]
        scene.general.deny(permission)
        first = await scene.ask("one")
        assert first.text.startswith("Answered.")
        assert named in first.text
        assert named not in (await scene.ask("two")).text


async def test_without_the_right_to_attach_files_a_long_answer_is_not_a_file(
    running: Running,
) -> None:
    async with running(discord={"file_above_characters": 2000}) as scene:
        scene.general.deny("attach_files")
        scene.script(Say("word " * 600))
        answer = await scene.ask("hi")
        assert "Attach Files" in answer.text
        assert answer.attachments == []


async def test_errors_of_discord_do_not_cost_the_end_of_an_answer(scene: Scene) -> None:
    go_on = asyncio.Event()
    scene.script(Say("One "), Wait(go_on), Say("two."))
    question = scene.ann.say(scene.general, "@bot hi")
    message = await scene.general.next_message()
    await scene.discord.until(lambda: message.text.startswith("One"))
    scene.discord.fail("PATCH", "/messages/", status=500, times=2)
    scene.discord.fail("PATCH", "/messages/", retry_after=0.2, times=2)
    go_on.set()
    assert (await scene.answer_to(question)).text.startswith("One two.")


async def test_a_message_whose_sending_seemed_to_fail_appears_once(scene: Scene) -> None:
    scene.discord.fail("POST", "/messages$", status=500, done_first=True)
    answer = await scene.ask("hi")
    assert scene.general.from_bot == [answer]


async def test_a_dropped_connection_answers_nothing_twice(scene: Scene) -> None:
    go_on = asyncio.Event()
    scene.script(Wait(go_on), Say("Once."))
    question = scene.ann.say(scene.general, "@bot hi")
    await scene.general.next_message()
    scene.discord.gateway.drop()
    await scene.discord.connected()
    go_on.set()
    answer = await scene.answer_to(question)
    assert answer.text.startswith("Once.")
    assert len(scene.inference.requests) == 1
    assert [*filter(ended, scene.general.from_bot)] == [answer]


async def test_a_lost_session_is_begun_anew_and_answers_nothing_twice(scene: Scene) -> None:
    first = await scene.ask("one")
    scene.discord.gateway.invalidate()
    await scene.bot.err.see("discord is connected")
    second = await scene.ask("two")
    assert [*filter(ended, scene.general.from_bot)] == [first, second]


async def test_an_event_that_comes_twice_is_answered_once(scene: Scene) -> None:
    question = scene.ann.say(scene.general, "@bot hi")
    scene.discord.message_changed(question, "MESSAGE_CREATE")
    await scene.answer_to(question)
    await scene.ask("and this?")
    assert len(scene.inference.requests) == 2


async def test_a_bot_of_many_servers_has_shards(running: Running) -> None:
    def many(double: DiscordDouble, guild: Guild, general: Channel) -> dict[str, Any]:
        double.shards = 2
        return {}

    async with running(prepare=many) as scene:
        shards = {(0, 2), (1, 2)}
        await scene.discord.until(lambda: {s.shard for s in scene.discord.gateway.live} == shards)
        assert (await scene.ask("hi")).text.startswith("Hello there.")


async def test_answers_in_one_channel_share_its_pace(running: Running) -> None:
    async with running(true_limits=True) as scene:
        go_on = [asyncio.Event() for _ in range(12)]
        steps = [step for at, event in enumerate(go_on) for step in (Say(f"{at} "), Wait(event))]
        scene.inference.default = [*steps, Say("The end.")]
        questions = [scene.ann.say(scene.general, f"@bot {at}") for at in range(3)]
        for event in go_on:
            seen = len(scene.discord.requests)
            event.set()
            await scene.discord.until(lambda seen=seen: len(scene.discord.requests) > seen)
        for question in questions:
            assert "The end." in (await scene.answer_to(question)).text
        assert [call for call in scene.discord.requests if call.status == 429] == []


async def test_at_its_end_the_bot_lets_running_answers_finish(scene_of_process: Scene) -> None:
    scene = scene_of_process
    go_on = asyncio.Event()
    scene.script(Say("One "), Wait(go_on), Say("two."))
    question = scene.ann.say(scene.general, "@bot hi")
    await scene.general.next_message()
    scene.bot.stop()
    await scene.bot.err.see("stopping")
    go_on.set()
    assert (await scene.answer_to(question)).text.startswith("One two.")
    assert await scene.bot.exit_code() == 0


async def test_the_log_has_no_token_and_no_message_text(scene: Scene) -> None:
    scene.script(Say("a-secret-answer"))
    await scene.ask("a-secret-question")
    for secret in (scene.discord.token, "a-secret-answer", "a-secret-question"):
        assert secret not in scene.bot.err.text


async def test_at_start_the_log_says_what_the_missing_intent_costs(scene: Scene) -> None:
    assert "message content intent is off" in scene.bot.err.text


async def test_a_wrong_token_is_one_line(tmp_path: Path) -> None:
    async with DiscordDouble().running() as double:
        discord = {"token": "wrong", "api_url": double.api_url}
        config = write_config(tmp_path, discord=discord, inference={"url": NOBODY})
        async with in_process(config) as bot:
            assert await bot.exit_code() == ExitCode.UNUSABLE
            assert "discord.token: Discord does not accept it" in bot.err.text


async def test_every_way_to_an_answer_meets_the_quota(running: Running) -> None:
    async with running(quotas={"user": {"requests": 1}}) as scene:
        question = scene.ann.say(scene.general, "@bot one")
        answer = await scene.answer_to(question)
        for button in ("Regenerate", "Try harder"):
            pressed = scene.ann.click(answer, button)
            await scene.discord.until(lambda pressed=pressed: pressed.messages)
            assert "limit" in pressed.messages[0].text
            assert pressed.messages[0].ephemeral
        again = await scene.ann.slash(scene.general, "regenerate").response
        assert "limit" in again.text
        seen = len(question.replies)
        scene.ann.edit(question, "@bot one, please")
        await scene.discord.until(lambda: len(question.replies) > seen)
        assert "limit" in question.replies[-1].text
        assert len(scene.inference.requests) == 1
        assert answer.text.startswith("Hello there.")


async def test_of_a_burst_only_as_many_are_answered_as_the_quota_has(running: Running) -> None:
    async with running(quotas={"user": {"requests": 2}}) as scene:
        questions = [scene.ann.say(scene.general, f"@bot {n}") for n in range(8)]
        await scene.discord.until(lambda: all(question.replies for question in questions))
        await scene.discord.until(
            lambda: sum(any(map(ended, question.replies)) for question in questions) == 2
        )
        assert len(scene.inference.requests) == 2


async def test_who_is_blocked_changes_nothing_by_slash_command(running: Running) -> None:
    people: list[Person] = []

    def block(double: DiscordDouble, guild: Guild, general: Channel) -> dict[str, Any]:
        people.append(guild.member("Mia", "manage_channels"))
        return {"access": {"block": {"users": [people[0].id]}}}

    async with running(prepare=block) as scene:
        told = await people[0].slash(scene.general, "effort", level="high").response
        assert "can't ask" in told.text
        await scene.ask("hi")
        assert scene.inference.requests[0]["reasoning_effort"] == "medium"
