"""The bot on Slack with a server that speaks vLLM's dialect behind `inference.url`."""

from collections.abc import AsyncIterator

import pytest

from tests.doubles.inference import Fail, Say
from tests.doubles.vllm import VllmDouble
from tests.platforms.slack.conftest import Running, Scene, ended


@pytest.fixture
async def scene(running: Running) -> AsyncIterator[Scene]:
    async with running(server=VllmDouble()) as scene:
        yield scene


async def test_reasoning_is_not_in_the_answer(scene: Scene) -> None:
    scene.script(Say(reasoning="They want a colour."), Say("It is"), Say(" blue."))
    answer = await scene.ask("Which?")
    assert answer.text.startswith("It is blue.")
    assert "colour" not in answer.text


async def test_an_error_in_mid_stream_keeps_what_came_and_offers_to_answer_again(
    scene: Scene,
) -> None:
    scene.script(Say("The sky is"), Fail("500", "Internal server error"))
    answer = await scene.ask("Why is the sky blue?")
    assert answer.text.startswith("The sky is")
    assert "The answer was cut off because the model stopped working." in answer.text
    assert answer.buttons == ["Regenerate", "Delete"]
    scene.script(Say("It scatters."))
    await scene.ann.click(answer, "Regenerate").acknowledged()
    await scene.slack.until(lambda: answer.text.startswith("It scatters.") and ended(answer))
    assert "cut off" not in answer.text
