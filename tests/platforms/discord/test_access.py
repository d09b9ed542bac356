"""Who may ask, what the bot may do, and what happens when Discord fails."""

import asyncio
from typing import Any

import pytest

from tests.doubles.discord import Channel, DiscordDouble, Guild
from tests.doubles.inference import Say, Wait
from tests.end_to_end.processes import piped, write_config
from tests.platforms.discord.conftest import Running, Scene, ended


@pytest.mark.parametrize("kind", ["servers", "channels"])
async def test_a_blocked_place_gets_one_line(running: Running, kind: str) -> None:
    def block(double: DiscordDouble, guild: Guild, general: Channel) -> dict[str, Any]:
        ids = {"servers": guild.id, "channels": general.id}
        return {"access": {"block": {kind: [ids[kind]]}}}

    async with running(prepare=block) as scene:
        question = scene.ann.say(scene.general, "@bot hi")
        assert "You can't ask me here" in await scene.told(question)
        assert scene.inference.requests == []


async def test_only_those_with_an_allowed_role_may_ask(running: Running) -> None:
    roles: list[Any] = []

    def allow(double: DiscordDouble, guild: Guild, general: Channel) -> dict[str, Any]:
        roles.append(guild.role("Members"))
        return {"access": {"allow": {"roles": [roles[0].id]}}}

    async with running(prepare=allow) as scene:
        assert "can't ask" in await scene.told(scene.ann.say(scene.general, "@bot hi"))


async def test_direct_messages_can_be_off(running: Running) -> None:
    async with running(access={"direct_messages": False}) as scene:
        assert "don't answer direct messages" in await scene.told(scene.ann.dm("hi"))


async def test_a_used_up_quota_says_when_it_starts_anew(running: Running) -> None:
    async with running(quotas={"user": {"requests": 1}}) as scene:
        await scene.ask("one")
        told = await scene.told(scene.ann.say(scene.general, "@bot two"))
        assert "It starts anew in" in told
        assert (await scene.ask("three", scene.ben)).text.startswith("Hello there.")


async def test_a_servers_quota_of_tokens_holds_for_all(running: Running) -> None:
    async with running(quotas={"server": {"tokens": 10}}) as scene:
        await scene.ask("one")
        told = await scene.told(scene.ben.say(scene.general, "@bot two"))
        assert "This server has used up" in told


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


async def test_errors_of_discord_do_not_cost_the_end_of_an_answer(scene: Scene) -> None:
    go_on = asyncio.Event()
    scene.script(Say("One "), Wait(go_on), Say("two."))
    question = scene.ann.say(scene.general, "@bot hi")
    message = await scene.general.next_message()
    await scene.discord.until(lambda: message.text.startswith("One"))
    scene.discord.fail("PATCH", "/messages/", status=500, times=2)
    scene.discord.fail("PATCH", "/messages/", retry_after=0.2, times=2)
    go_on.set()
    assert (await scene.answer_to(question, within=60)).text.startswith("One two.")


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


async def test_the_log_has_no_token_and_no_message_text(scene: Scene) -> None:
    scene.script(Say("a-secret-answer"))
    await scene.ask("a-secret-question")
    for secret in (scene.discord.token, "a-secret-answer", "a-secret-question"):
        assert secret not in scene.bot.err.text


async def test_at_start_the_log_says_what_the_missing_intent_costs(scene: Scene) -> None:
    await scene.bot.err.see("message content intent is off")


async def test_a_wrong_token_is_one_line(scene: Scene) -> None:
    discord = {"token": "wrong", "api_url": scene.discord.api_url}
    inference = {"url": scene.inference.url}
    config = write_config(scene.folder, discord=discord, inference=inference)
    async with piped(config, command="run") as bot:
        assert await bot.exit_code() == 2
        assert "discord.token: Discord does not accept it" in bot.err.text
