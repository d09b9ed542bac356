"""The buttons under an answer."""

import asyncio
import sqlite3

import pytest

from tests.doubles.discord import Message, Person
from tests.doubles.inference import Say, Wait
from tests.end_to_end.processes import piped
from tests.platforms.discord.conftest import Scene, ended


async def test_under_a_finished_answer_are_the_buttons_and_a_footer(scene: Scene) -> None:
    answer = await scene.ask("hi")
    assert answer.buttons == ["Regenerate", "Try harder", "Delete", "👍", "👎"]
    assert "medium · " in answer.text


async def test_stop_frees_the_engine_and_keeps_what_came(scene: Scene) -> None:
    scene.script(Say("One "), Wait(asyncio.Event()))
    scene.ann.say(scene.general, "@bot hi")
    answer = await scene.general.next_message()
    await scene.discord.until(lambda: answer.text.startswith("One"))
    await scene.ann.click(answer, "Stop").acknowledged()
    await scene.inference.cancelled.wait()
    await scene.discord.until(lambda: "Stopped." in answer.text)
    assert answer.text.startswith("One")
    assert answer.buttons == ["Regenerate", "Try harder", "Delete"]


async def test_regenerate_answers_again_in_place(scene: Scene) -> None:
    answer = await scene.ask("hi")
    scene.script(Say("Another."))
    await scene.ann.click(answer, "Regenerate").acknowledged()
    await scene.discord.until(lambda: answer.text.startswith("Another.") and ended(answer))
    assert scene.general.from_bot == [answer]


async def test_try_harder_answers_at_the_next_effort(scene: Scene) -> None:
    answer = await scene.ask("hi")
    await scene.ann.click(answer, "Try harder").acknowledged()
    await scene.discord.until(lambda: "high · " in answer.text)
    assert scene.inference.requests[1]["reasoning_effort"] == "high"
    assert "Try harder" not in answer.buttons


async def delete(scene: Scene, person: Person, answer: Message) -> None:
    """Press Delete, and again in the question whether that is meant."""
    pressed = person.click(answer, "Delete")
    question = await scene.discord.until(lambda: next(iter(pressed.messages), None))
    assert question.ephemeral
    assert not answer.deleted
    await person.click(question, "Delete").acknowledged()
    await scene.discord.until(lambda: answer.deleted and question.deleted)


async def test_who_presses_delete_by_mistake_keeps_the_answer(scene: Scene) -> None:
    answer = await scene.ask("hi")
    pressed = scene.ann.click(answer, "Delete")
    question = await scene.discord.until(lambda: next(iter(pressed.messages), None))
    assert "Delete this answer" in question.text
    await scene.ann.click(question, "Keep it").acknowledged()
    await scene.discord.until(lambda: question.deleted)
    assert not answer.deleted


async def test_delete_takes_the_answer_away(scene: Scene) -> None:
    answer = await scene.ask("hi")
    await delete(scene, scene.ann, answer)


@pytest.mark.parametrize("button", ["Regenerate", "Delete"])
async def test_somebody_elses_answer_is_not_theirs_to_change(scene: Scene, button: str) -> None:
    answer = await scene.ask("hi")
    pressed = scene.ben.click(answer, button)
    await scene.discord.until(lambda: pressed.messages)
    assert "Only the person who asked, or a moderator" in pressed.messages[0].text
    assert pressed.messages[0].ephemeral
    assert not answer.deleted


async def test_a_moderator_may_delete_an_answer(scene: Scene) -> None:
    mo = scene.guild.member("Mo", "manage_messages")
    answer = await scene.ask("hi")
    await delete(scene, mo, answer)


async def test_thumbs_are_stored_as_feedback(scene: Scene) -> None:
    answer = await scene.ask("hi")
    pressed = scene.ben.click(answer, "👎")
    await scene.discord.until(lambda: pressed.messages)
    assert pressed.messages[0].ephemeral
    with sqlite3.connect(scene.folder / "bot.db") as database:
        [row] = database.execute("SELECT message_id, user_id, vote FROM feedback")
    assert row == (str(answer.id), str(scene.ben.id), -1)


async def test_buttons_work_after_a_restart(scene: Scene) -> None:
    words = " ".join(f"word{n}" for n in range(500))
    scene.script(Say(words))
    last = await scene.ask("hi")
    first = scene.general.from_bot[0]
    scene.bot.stop()
    assert await scene.bot.exit_code() == 0
    scene.script(Say("Another."))
    async with piped(scene.folder / "bot.yaml", command="run") as bot:
        await bot.err.see("discord is connected")
        await scene.ann.click(last, "Regenerate").acknowledged()
        await scene.discord.until(lambda: first.text.startswith("Another.") and ended(first))
        assert scene.general.from_bot == [first]


async def test_an_answer_that_somebody_deletes_is_written_no_further(scene: Scene) -> None:
    mo = scene.guild.member("Mo", "manage_messages")
    scene.script(Say("One "), Wait(asyncio.Event()))
    scene.ann.say(scene.general, "@bot hi")
    answer = await scene.general.next_message()
    await scene.discord.until(lambda: answer.text.startswith("One"))
    mo.delete(answer)
    await scene.inference.cancelled.wait()
