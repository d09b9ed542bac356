"""What people on Slack see when the real inference service takes no more questions."""

from collections.abc import AsyncIterator

import pytest

from tests.platforms.busy_service import BusyService
from tests.platforms.slack.conftest import Running, Scene, ended

FULL = "Too many people are asking right now. Please try again in 5 s."


@pytest.fixture
def service() -> BusyService:
    return BusyService()


@pytest.fixture
async def scene(running: Running, service: BusyService) -> AsyncIterator[Scene]:
    async with running(server=service) as scene:
        yield scene


async def test_who_finds_the_queue_full_is_told_when_to_try_again(
    scene: Scene, service: BusyService
) -> None:
    general = scene.general
    taken = [person.say(general, "@bot hi") for person in (scene.ann, scene.ben)]
    await scene.slack.until(
        lambda: any("next in line" in general.status(question) for question in taken)
    )
    cleo = scene.team.member("Cleo")
    question = cleo.say(general, "@bot hi")
    refused = await scene.answer_to(question)
    assert FULL in refused.text
    assert refused.thread is question
    assert refused.buttons == ["Regenerate", "Delete"]

    service.may_go_on.set()
    for each in taken:
        assert (await scene.answer_to(each)).text.startswith("Hello you")
    await cleo.click(refused, "Regenerate").acknowledged()
    await scene.slack.until(lambda: refused.text.startswith("Hello you") and ended(refused))
    assert "try again" not in refused.text
