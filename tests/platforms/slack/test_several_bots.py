"""Several bots with connections of their own to one Slack app, on one database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.end_to_end.processes import Bot, piped
from tests.platforms.slack.conftest import Running, Scene, ended


@dataclass
class Pair:
    scene: Scene
    other: Bot


@pytest.fixture
async def pair(running: Running, database: str) -> AsyncIterator[Pair]:
    """Two bots; Slack hands each event to one of them in turn."""
    async with (
        running(storage={"url": database}) as scene,
        piped(scene.folder / "bot.yaml", command="run") as other,
    ):
        await other.err.see("slack is connected")
        await scene.slack.until(lambda: len(scene.slack.socket.connections) == 2)
        yield Pair(scene, other)
        assert '"exception"' not in other.err.text


async def test_every_question_is_answered_once_by_one_of_them(pair: Pair) -> None:
    scene = pair.scene
    questions = [scene.ann.say(scene.general, f"@bot {at}") for at in range(6)]
    await scene.slack.until(lambda: all(any(map(ended, q.replies)) for q in questions))
    assert [len(question.replies) for question in questions] == [1] * 6


async def test_a_conversation_goes_on_whichever_of_them_hears_it(pair: Pair) -> None:
    scene = pair.scene
    question = scene.ann.say(scene.general, "@bot one")
    await scene.answer_to(question)
    for text in ("two", "three"):
        await scene.answer_to(scene.ann.say(scene.general, text, thread=question))
    said = [message["content"] for message in scene.last_prompt()[1:]]
    assert said == ["one", "Hello there.", "two", "Hello there.", "three"]


async def test_what_is_set_through_one_holds_for_all(pair: Pair) -> None:
    scene, socket = pair.scene, pair.scene.slack.socket
    socket.only, other = socket.connections
    admin = scene.team.member("Ada", admin=True)
    await admin.slash(scene.general, "/effort high").response
    await scene.ask("hi")
    socket.only = other
    await scene.ask("hi")
    assert [r["reasoning_effort"] for r in scene.inference.requests] == ["high"] * 2
    await scene.bot.err.see("answer ended")
    await pair.other.err.see("answer ended")
