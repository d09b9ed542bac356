"""Answers that a process began and did not end."""

import asyncio

from tests.doubles.inference import Say, Wait
from tests.end_to_end.processes import piped
from tests.platforms.slack.conftest import Running


async def test_what_was_cut_off_is_answered_in_its_place(running: Running) -> None:
    async with running(own_process=True) as scene:
        scene.script(Say("One "), Wait(asyncio.Event()))
        question = scene.ann.say(scene.general, "@bot hi")
        await scene.slack.until(lambda: any("One" in m.text for m in question.replies))
        scene.bot.process.kill()
        await scene.bot.process.wait()
        scene.script(Say("One two."))
        async with piped(scene.folder / "bot.yaml", command="run") as bot:
            await bot.err.see("slack is connected")
            answer = await scene.answer_to(question)
            assert "One two." in answer.text
            assert [m for m in question.replies if m.author.is_bot] == [answer]
            assert len(scene.inference.requests) == 2
