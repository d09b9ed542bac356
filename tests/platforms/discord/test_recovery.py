"""Answers that a process began and did not end."""

import asyncio
from datetime import timedelta

import discord

from tests.doubles.discord import Message
from tests.doubles.inference import Say, Wait
from tests.end_to_end.processes import piped
from tests.platforms.discord.conftest import Running, Scene, ended


async def test_what_was_cut_off_is_answered_in_its_place(running: Running) -> None:
    async with running(own_process=True) as scene:
        scene.script(Say("One "), Wait(asyncio.Event()))
        question = scene.ann.say(scene.general, "@bot hi")
        answer = await scene.general.next_message()
        await scene.discord.until(lambda: answer.text.startswith("One"))
        scene.bot.process.kill()
        await scene.bot.process.wait()
        scene.script(Say("One two."))
        async with piped(scene.folder / "bot.yaml", command="run") as bot:
            await bot.err.see("discord is connected")
            assert await scene.answer_to(question) is answer
            assert answer.text.startswith("One two.")
            assert [*filter(ended, scene.general.from_bot)] == [answer]
            assert len(scene.inference.requests) == 2


async def test_a_mention_without_a_session_is_answered_by_the_next_one(scene: Scene) -> None:
    answered = scene.ann.say(scene.general, "@bot before")
    await scene.answer_to(answered)
    long_ago = discord.utils.time_snowflake(discord.utils.utcnow() - timedelta(hours=1))
    old = Message(scene.general, scene.ann, id=long_ago, content=f"<@{scene.discord.bot.id}> old")
    scene.general.history = {old.id: old, **scene.general.history}
    scene.discord.gateway.invalidate()
    question = scene.ben.say(scene.general, "@bot did the pilot sign off?")
    await scene.answer_to(question)
    await scene.ask("next")
    asked = [prompt[-1]["content"].splitlines()[-1] for prompt in scene.inference.prompts]
    assert asked == ["before", "did the pilot sign off?", "next"]
