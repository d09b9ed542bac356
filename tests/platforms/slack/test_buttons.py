"""The buttons under an answer."""

import sqlite3

import pytest

from tests.doubles.inference import Say
from tests.end_to_end.processes import piped
from tests.platforms.slack.conftest import Scene, ended


async def test_under_a_finished_answer_are_the_buttons_and_a_footer(either: Scene) -> None:
    answer = await either.ask("hi")
    (row,) = (block for block in answer.blocks if block["type"] == "actions")
    assert len(row["elements"]) == len(answer.buttons)
    assert answer.buttons == ["Regenerate", "Try harder", "Delete", "👍", "👎"]
    assert "medium · " in answer.text


async def test_regenerate_answers_again_in_place(either: Scene) -> None:
    answer = await either.ask("hi")
    either.script(Say("Another."))
    await either.ann.click(answer, "Regenerate").acknowledged()
    await either.slack.until(lambda: answer.text.startswith("Another.") and ended(answer))
    assert either.general.from_bot == [answer]


async def test_try_harder_answers_at_the_next_effort(scene: Scene) -> None:
    answer = await scene.ask("hi")
    await scene.ann.click(answer, "Try harder").acknowledged()
    await scene.slack.until(lambda: "high · " in answer.text)
    assert scene.inference.requests[1]["reasoning_effort"] == "high"
    assert "Try harder" not in answer.buttons


async def test_delete_asks_back_and_takes_the_answer_away(scene: Scene) -> None:
    answer = await scene.ask("hi")
    (row,) = (block for block in answer.blocks if block["type"] == "actions")
    (asks,) = (e["confirm"] for e in row["elements"] if "confirm" in e)
    assert "Delete this answer" in asks["text"]["text"]
    await scene.ann.click(answer, "Delete").acknowledged()
    await scene.slack.until(lambda: answer.deleted)


@pytest.mark.parametrize("button", ["Regenerate", "Delete"])
async def test_somebody_elses_answer_is_not_theirs_to_change(scene: Scene, button: str) -> None:
    answer = await scene.ask("hi")
    await scene.ben.click(answer, button).acknowledged()
    await scene.slack.until(lambda: scene.ben.ephemerals)
    assert "Only the person who asked, or a moderator" in scene.ben.ephemerals[0].text
    assert not answer.deleted


async def test_an_admin_may_delete_an_answer(scene: Scene) -> None:
    ada = scene.team.member("Ada", admin=True)
    answer = await scene.ask("hi")
    await ada.click(answer, "Delete").acknowledged()
    await scene.slack.until(lambda: answer.deleted)


async def test_thumbs_are_stored_as_feedback(scene: Scene) -> None:
    answer = await scene.ask("hi")
    await scene.ben.click(answer, "👎").acknowledged()
    await scene.slack.until(lambda: scene.ben.ephemerals)
    with sqlite3.connect(scene.folder / "bot.db") as database:
        votes = database.execute("SELECT message_id, user_id, vote FROM feedback").fetchall()
    assert votes == [(answer.ts, scene.ben.id, -1)]


async def test_buttons_work_after_a_restart(scene: Scene) -> None:
    answer = await scene.ask("hi")
    scene.bot.stop()
    assert await scene.bot.exit_code() == 0
    scene.script(Say("Another."))
    async with piped(scene.folder / "bot.yaml", command="run") as bot:
        await bot.err.see("slack is connected")
        await scene.ann.click(answer, "Regenerate").acknowledged()
        await scene.slack.until(lambda: answer.text.startswith("Another.") and ended(answer))
    assert scene.general.from_bot == [answer]
    assert scene.last_prompt()[-1]["content"] == "hi"
