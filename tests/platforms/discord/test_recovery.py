"""Answers that a process began and did not end."""

import asyncio

from tests.doubles.inference import Say, Wait
from tests.end_to_end.processes import piped
from tests.platforms.discord.conftest import Running, ended


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
