"""The bot on Discord with a server that speaks vLLM's dialect behind `inference.url`."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.doubles.inference import Error, Fail, Say, Wait
from tests.doubles.vllm import VllmDouble
from tests.platforms.discord.conftest import Running, Scene, ended


@pytest.fixture
async def scene(running: Running) -> AsyncIterator[Scene]:
    async with running(server=VllmDouble()) as scene:
        yield scene


async def test_an_answer_streams_and_its_reasoning_is_not_in_it(scene: Scene) -> None:
    go_on = asyncio.Event()
    scene.script(Say(reasoning="They want a colour."), Say("It is"), Wait(go_on), Say(" blue."))
    scene.ann.say(scene.general, "@bot Which colour?")
    answer = await scene.general.next_message()
    await scene.discord.until(lambda: answer.text.startswith("It is"))
    assert answer.buttons == ["Stop"]
    go_on.set()
    await scene.discord.until(lambda: ended(answer))
    assert answer.text.startswith("It is blue.")
    assert "colour" not in answer.text
    assert "queue" not in answer.text


async def test_an_error_in_mid_stream_keeps_what_came_and_offers_to_answer_again(
    scene: Scene,
) -> None:
    scene.script(Say("The sky is"), Fail("500", "Internal server error"))
    answer = await scene.ask("Why is the sky blue?")
    first, *own = answer.text.splitlines()
    assert first == "The sky is"
    assert "The answer was cut off because the model stopped working." in "".join(own)
    assert answer.buttons == ["Regenerate", "Delete"]
    scene.script(Say("It scatters."))
    await scene.ann.click(answer, "Regenerate").acknowledged()
    await scene.discord.until(lambda: answer.text.startswith("It scatters.") and ended(answer))
    assert "cut off" not in answer.text


async def test_a_refusal_is_one_line_that_offers_to_ask_again(scene: Scene) -> None:
    scene.script(Error(500, message="CUDA error: device-side assert triggered"))
    answer = await scene.ask("hi")
    assert "Something went wrong, and I couldn't answer." in answer.text
    assert "CUDA" not in answer.text
    assert answer.buttons == ["Regenerate", "Delete"]
