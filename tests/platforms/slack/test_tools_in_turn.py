"""A conversation on Slack that searches, reads, calculates, asks for approval and answers."""

from pathlib import Path

from tests.doubles.searxng import SearxngDouble
from tests.platforms.slack.conftest import Running
from tests.platforms.tools_in_turn import (
    MCP,
    assert_all_was_done,
    assert_are_listed,
    assert_is_asked_for,
    new_repository,
    requests_of,
)


async def test_it_searches_reads_calculates_asks_and_answers(
    running: Running, tmp_path: Path
) -> None:
    path = tmp_path / "notes"
    repository = new_repository(path)
    async with SearxngDouble().running() as site:
        url = site.result("/tides", "Tides", "The sea", "<p>High water comes twice a day.</p>")
        async with running(web={"search": "searxng", "url": site.url}, mcp=MCP) as scene:
            for _ in MCP:
                await scene.bot.err.see("an MCP server is connected")
            for request in requests_of(str(path)):
                scene.script(request)
            question = scene.ann.say(scene.general, "@bot How often is high water? Note it.")
            asked = await scene.slack.until(
                lambda: next((m for m in question.root.replies if "Allow" in m.buttons), None)
            )
            assert_is_asked_for(asked.text, scene.inference.requests, repository)
            await scene.ann.click(asked, "Allow").acknowledged()
            answer = await scene.answer_to(question)
            assert f"Every 12 hours [1]({url}). Noted." in answer.text  # below its tasks
            assert "Sources: " in answer.text
            assert_all_was_done(answer.text, site, scene.inference.requests, str(path))
            assert_are_listed(await scene.told(scene.ann.say(scene.general, "@bot /tools")))
