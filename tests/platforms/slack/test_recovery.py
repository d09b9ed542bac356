"""Answers that a process began and did not end."""

import asyncio
import sqlite3
from contextlib import closing

from bot.storage import Store, TakenQuestion
from tests.doubles.inference import Say, Wait
from tests.doubles.slack import Message
from tests.end_to_end.in_process import in_process
from tests.platforms.slack.conftest import Running, Scene
from tests.platforms.slack.test_refusals import refuse


async def test_what_was_cut_off_is_answered_in_its_place(running: Running) -> None:
    async with running(own_process=True) as scene:
        question = await _cut_off(scene)
        scene.script(Say("One two."))
        async with in_process(scene.folder / "bot.yaml") as bot:
            await bot.err.see("slack is connected")
            answer = await scene.answer_to(question)
            assert "One two." in answer.text
            assert [m for m in question.replies if m.author.is_bot] == [answer]
            assert len(scene.inference.requests) == 2


async def test_who_asked_what_can_not_be_read_again_is_told(running: Running) -> None:
    async with running(own_process=True) as scene:
        question = await _cut_off(scene)
        refuse(scene, "missing_scope", "conversations.replies")
        async with in_process(scene.folder / "bot.yaml"):
            await scene.slack.until(lambda: "I was restarted" in question.replies[-1].text)
            assert len(scene.inference.requests) == 1


async def test_stop_under_an_answer_of_an_earlier_run_keeps_its_text(running: Running) -> None:
    async with running(own_process=True) as scene:
        scene.slack.app.is_agent = False
        refuse(scene, "unknown_method", "chat.startStream")
        question = await _cut_off(scene)
        with closing(sqlite3.connect(scene.folder / "bot.db")) as database, database:
            database.execute("DELETE FROM running_answers")  # nobody comes back to it
        async with in_process(scene.folder / "bot.yaml") as bot:
            await bot.err.see("slack is connected")
            (answer,) = question.replies
            await scene.ann.click(answer, "Stop").acknowledged()
            await scene.slack.until(lambda: "Regenerate" in answer.buttons)
            assert answer.text.startswith("One")
            assert "I was restarted" in answer.text


async def test_a_question_that_was_only_taken_is_heard_again(scene: Scene) -> None:
    scene.bot.stop()
    await scene.bot.exit_code()
    question = scene.ann.say(scene.general, "hi, it needs no mention")
    channel, me = scene.general.id, f"{scene.team.id}:{scene.team.bot.id}"
    taken = TakenQuestion(
        "slack", me, f"{channel}:{question.ts}", scene.team.id, channel, question.ts
    )
    async with Store.open(f"sqlite+aiosqlite:///{scene.folder / 'bot.db'}") as store:
        assert await store.take_question(taken, [])
    async with in_process(scene.folder / "bot.yaml"):
        assert (await scene.answer_to(question)).text.startswith("Hello there.")


async def _cut_off(scene: Scene) -> Message:
    """A question whose bot was killed while it answered."""
    scene.script(Say("One "), Wait(asyncio.Event()))
    question = scene.ann.say(scene.general, "@bot hi")
    await scene.slack.until(lambda: any("One" in m.text for m in question.replies))
    scene.bot.process.kill()
    await scene.bot.process.wait()
    return question
