"""Answers that a process began and did not end."""

import asyncio
import itertools
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any

import discord
import pytest

from bot.storage import Store, TakenQuestion
from tests.doubles.discord import Message
from tests.doubles.inference import Say, Wait
from tests.end_to_end.in_process import in_process
from tests.platforms.discord.conftest import Running, Scene, ended

_numbers = itertools.count(1)


async def test_what_was_cut_off_is_answered_in_its_place(running: Running) -> None:
    async with running(own_process=True) as scene:
        answer = await _cut_off(scene)
        scene.script(Say("One two."))
        async with in_process(scene.folder / "bot.yaml") as bot:
            await bot.err.see("discord is connected")
            assert await scene.answer_to(answer.reference) is answer
            assert answer.text.startswith("One two.")
            assert [*filter(ended, scene.general.from_bot)] == [answer]
            assert len(scene.inference.requests) == 2


async def test_a_mention_without_a_session_is_answered_by_the_next_one(scene: Scene) -> None:
    answered = scene.ann.say(scene.general, "@bot before")
    await scene.answer_to(answered)
    long_ago = discord.utils.time_snowflake(discord.utils.utcnow() - timedelta(hours=1))
    old = Message(scene.general, scene.ann, id=long_ago, content=f"<@{scene.discord.bot.id}> old")
    talk = [_said_before(scene, minutes=9) for _ in range(120)]  # more than one request returns
    earlier = {message.id: message for message in [old, *talk]}
    scene.general.history = {**earlier, **scene.general.history}
    scene.discord.gateway.invalidate()
    question = scene.ben.say(scene.general, "@bot did the pilot sign off?")
    await scene.answer_to(question)
    await scene.ask("next")
    asked = [prompt[-1]["content"].splitlines()[-1] for prompt in scene.inference.prompts]
    assert asked == ["before", "did the pilot sign off?", "next"]


async def test_stop_under_an_answer_of_an_earlier_run_keeps_its_text(running: Running) -> None:
    async with running(own_process=True) as scene:
        answer = await _cut_off(scene)
        with closing(sqlite3.connect(scene.folder / "bot.db")) as database, database:
            database.execute("DELETE FROM running_answers")  # nobody comes back to it
        async with in_process(scene.folder / "bot.yaml") as bot:
            await bot.err.see("discord is connected")
            await scene.ann.click(answer, "Stop").acknowledged()
            await scene.discord.until(lambda: "Regenerate" in answer.buttons)
            assert answer.text.startswith("One")
            assert "I was restarted" in answer.text


@pytest.mark.parametrize(("code", "shown"), [(10008, False), (50001, True)])
async def test_what_can_not_be_asked_again_does_not_look_as_if_it_went_on(
    running: Running, code: int, shown: bool
) -> None:
    async with running(own_process=True) as scene:
        answer = await _cut_off(scene)
        scene.discord.fail("GET", f"/messages/{answer.reference.id}", code, times=99)
        async with in_process(scene.folder / "bot.yaml") as bot:
            await bot.err.see("discord is connected")
            if shown:
                await scene.discord.until(lambda: "I was restarted" in answer.text)
                assert answer.text.startswith("One")
            else:
                await scene.discord.until(lambda: answer.deleted)
            assert len(scene.inference.requests) == 1


async def test_a_question_that_was_only_taken_is_heard_again(scene: Scene) -> None:
    scene.bot.stop()
    await scene.bot.exit_code()
    question = Message(scene.ann.dms, scene.ann, content="hi")
    scene.ann.dms.history[question.id] = question
    await _take(scene, question)
    async with in_process(scene.folder / "bot.yaml"):
        assert (await scene.answer_to(question)).text.startswith("Hello there.")
        assert len(scene.inference.requests) == 1


def _said_before(scene: Scene, minutes: int) -> Message:
    id = discord.utils.time_snowflake(discord.utils.utcnow() - timedelta(minutes=minutes))
    id += next(_numbers)
    return Message(scene.general, scene.ben, id=id, content="what a day")


async def _cut_off(scene: Scene) -> Message:
    """An answer whose bot was killed while it was written."""
    scene.script(Say("One "), Wait(asyncio.Event()))
    scene.ann.say(scene.general, "@bot hi")
    answer = await scene.general.next_message()
    await scene.discord.until(lambda: answer.text.startswith("One"))
    scene.bot.process.kill()
    await scene.bot.process.wait()
    return answer


async def _take(scene: Scene, question: Message) -> None:
    """Take a question as a run does that ends right after that."""
    channel = question.channel
    place: Any = (f"dm-{channel.id}", str(channel.id), None)
    taken = TakenQuestion("discord", str(scene.discord.bot.id), str(question.id), *place)
    async with Store.open(f"sqlite+aiosqlite:///{scene.folder / 'bot.db'}") as store:
        assert await store.take_question(taken, [])
