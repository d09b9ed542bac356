"""What people on Discord see when the real inference service takes no more questions."""

from collections.abc import AsyncIterator

import pytest

from tests.platforms.busy_service import BusyService
from tests.platforms.discord.conftest import Running, Scene, ended

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
    taken = [person.say(scene.general, "@bot hi") for person in (scene.ann, scene.ben)]
    await scene.discord.until(
        lambda: any("Number 1 in the queue" in m.text for m in scene.general.from_bot)
    )
    cleo = scene.guild.member("Cleo")
    question = cleo.say(scene.general, "@bot hi")
    refused = await scene.answer_to(question)
    assert FULL in refused.text
    assert refused.reference is question
    assert refused.buttons == ["Regenerate", "Delete"]

    service.may_go_on.set()
    await scene.discord.until(lambda: all(any(map(ended, q.replies)) for q in taken))
    assert all(q.replies[0].text.startswith("Hello you") for q in taken)
    await cleo.click(refused, "Regenerate").acknowledged()
    await scene.discord.until(lambda: refused.text.startswith("Hello you") and ended(refused))
    assert "try again" not in refused.text
