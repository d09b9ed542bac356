"""What a model calls, as people see it on Slack."""

import asyncio

from tests.doubles.inference import Call, Say, Wait
from tests.platforms.slack.conftest import Scene


async def test_a_call_is_a_task_of_the_stream(scene: Scene) -> None:
    go_on = asyncio.Event()
    scene.script(Call("calculator", {"expression": "6*7"}), Call("now", {"timezone": "Nowhere"}))
    scene.script(Wait(go_on), Say("It is 42."))
    question = scene.ann.say(scene.general, "@bot What is 6*7?")
    streamed = await scene.slack.until(
        lambda: next((m for m in question.root.replies if len(m.tasks) == 2), None)
    )
    go_on.set()
    answer = await scene.answer_to(question)
    assert answer is streamed
    tasks = answer.tasks
    assert [(t["title"], t["status"], t.get("output")) for t in tasks.values()] == [
        ("calculator: 6*7", "complete", "42"),
        ("now: Nowhere", "error", None),
    ]
    assert answer.markdown == "It is 42."
    assert "Called: calculator, now" in answer.text
