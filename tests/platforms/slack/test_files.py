"""Files on Slack: where they are fetched from, and who sees the bot's token."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from tests.doubles.slack.state import File
from tests.platforms.slack.conftest import Scene


@dataclass
class Elsewhere:
    """A host that isn't Slack's, and the headers of what it was asked."""

    url: str
    asked: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    async def serve(request: web.Request) -> web.Response:
        here.asked.append(dict(request.headers))
        return web.Response(text="not for you")

    application = web.Application()
    application.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    here = Elsewhere(f"http://127.0.0.1:{runner.addresses[0][1]}/plan.txt")
    yield here
    await runner.cleanup()


async def test_a_file_on_another_host_is_not_fetched(scene: Scene, elsewhere: Elsewhere) -> None:
    plan = File("plan.txt", b"", scene.team, url=elsewhere.url)
    answer = await scene.ask("what does it say?", files=[plan])
    assert "couldn't download plan.txt" in answer.text
    assert "not for you" not in scene.last_prompt()[-1]["content"]
    assert elsewhere.asked == []


async def test_a_redirect_to_another_host_is_not_followed(
    scene: Scene, elsewhere: Elsewhere
) -> None:
    plan = File("plan.txt", b"", scene.team, redirect=elsewhere.url)
    answer = await scene.ask("what does it say?", files=[plan])
    assert "couldn't download plan.txt" in answer.text
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    "host",
    ["files.slack.com.example", "slack.com@127.0.0.1", "xfiles.slack.com", "[127", "nothing"],
)
async def test_hosts_that_look_like_slacks_are_others(
    scene: Scene, elsewhere: Elsewhere, host: str
) -> None:
    url = elsewhere.url.replace("127.0.0.1", host) if host != "nothing" else "/plan.txt"
    answer = await scene.ask("read it", files=[File("plan.txt", b"", scene.team, url=url)])
    assert "couldn't download plan.txt" in answer.text
    assert elsewhere.asked == []
