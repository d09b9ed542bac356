"""What a model calls, as people see it on Discord."""

import asyncio

from tests.doubles.inference import Call, Say, Wait
from tests.platforms.discord.conftest import Scene


async def test_a_call_is_a_small_line_while_it_is_made_and_after(scene: Scene) -> None:
    go_on = asyncio.Event()
    scene.script(Call("calculator", {"expression": "6*7"}))
    scene.script(Wait(go_on), Say("It is 42."))
    question = scene.ann.say(scene.general, "@bot What is 6*7?")
    shown = await scene.discord.until(
        lambda: next((m for m in scene.general.from_bot if "6*7" in m.text), None)
    )
    assert "-# \u2063Called calculator: 6*7" in shown.text
    assert "Stop" in shown.buttons
    go_on.set()
    answer = await scene.answer_to(question)
    assert answer.text.startswith("It is 42.")
    assert "-# \u2063Called: calculator" in answer.text


async def test_what_was_called_is_no_part_of_the_conversation(scene: Scene) -> None:
    scene.script(Call("calculator", {"expression": "6*7"}))
    scene.script(Say("It is 42."))
    first = await scene.ask("What is 6*7?")
    await scene.answer_to(scene.ann.say(scene.general, "@bot Sure?", reply_to=first))
    said = [m["content"] for m in scene.inference.prompts[-1]][1:]
    assert said == ["What is 6*7?", "It is 42.", "Sure?"]
