"""A conversation on Slack that searches, reads, calculates, asks for approval and answers."""

import sys
from pathlib import Path

import git

from tests.doubles.inference import Call, Say
from tests.doubles.searxng import SearxngDouble
from tests.platforms.slack.conftest import Running


async def test_it_searches_reads_calculates_asks_and_answers(
    running: Running, tmp_path: Path
) -> None:
    repository = git.Repo.init(tmp_path / "notes")
    (tmp_path / "notes" / "tides.md").write_text("The moon.")
    mcp = {
        "time": {
            "command": [sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC"],
            "allow": ["get_current_time"],
        },
        "git": {
            "command": [sys.executable, "-m", "mcp_server_git"],
            "allow": ["git_status", "git_add"],
        },
    }
    async with SearxngDouble().running() as site:
        url = site.result("/tides", "Tides", "The sea", "<p>High water comes twice a day.</p>")
        async with running(web={"search": "searxng", "url": site.url}, mcp=mcp) as scene:
            for _ in mcp:
                await scene.bot.err.see("an MCP server is connected")
            path = str(tmp_path / "notes")
            scene.script(Call("browser.search", {"query": "tides"}))
            scene.script(Call("browser.open", {"id": 0}))
            scene.script(Call("calculator", {"expression": "24 / 2"}))
            scene.script(Call("time__get_current_time", {"timezone": "Asia/Tokyo"}))
            scene.script(Call("git__git_status", {"repo_path": path}))
            scene.script(Call("git__git_add", {"repo_path": path, "files": ["tides.md"]}))
            scene.script(Say("Every 12 hours\u30101\u2020L0\u3011. Noted."))
            question = scene.ann.say(scene.general, "@bot How often is high water? Note it.")
            asked = await scene.slack.until(
                lambda: next((m for m in question.root.replies if "Allow" in m.buttons), None)
            )
            assert "git__git_add may change something. May I call it?" in asked.text
            assert '"files": ["tides.md"]' in asked.text
            assert len(scene.inference.requests) == 6
            assert not repository.index.entries
            await scene.ann.click(asked, "Allow").acknowledged()
            answer = await scene.answer_to(question)
            assert answer.text.startswith(f"Every 12 hours [1]({url}). Noted.")
            assert "Sources: " in answer.text
            for sent_to in (site.url.removeprefix("http://"), "program git", "program time"):
                assert f"to {sent_to} (" in answer.text
            assert ("tides.md", 0) in git.Repo(path).index.entries
            results = [
                m["content"]
                for m in scene.inference.requests[-1]["messages"]
                if m["role"] == "tool"
            ]
            for result, part in zip(
                results,
                ("\u30100\u2020Tides", "twice a day", "12", "Asia/Tokyo", "tides.md", "staged"),
                strict=True,
            ):
                assert part in result
            told = await scene.told(scene.ann.say(scene.general, "@bot /tools"))
            for name in ("calculator", "now", "browser.open", "time__get_current_time"):
                assert name in told
            assert "git_commit" not in told
