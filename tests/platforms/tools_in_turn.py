"""The parts of a conversation that searches, reads, calculates, asks for approval and answers."""

import sys
from pathlib import Path
from typing import Any

import git

from tests.doubles.inference import Call, Say, Step
from tests.doubles.searxng import SearxngDouble

MCP = {
    "time": {
        "command": [sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC"],
        "allow": ["get_current_time"],
    },
    "git": {
        "command": [sys.executable, "-m", "mcp_server_git"],
        "allow": ["git_status", "git_add"],
    },
}


def new_repository(folder: Path) -> git.Repo:
    """One with a file that isn't added yet."""
    repository = git.Repo.init(folder)
    (folder / "tides.md").write_text("The moon.")
    return repository


def requests_of(path: str) -> list[Step]:
    """What the model asks for in each request, the answer last; `path` is the repository's."""
    return [
        Call("browser.search", {"query": "tides"}),
        Call("browser.open", {"id": 0}),
        Call("calculator", {"expression": "24 / 2"}),
        Call("time__get_current_time", {"timezone": "Asia/Tokyo"}),
        Call("git__git_status", {"repo_path": path}),
        Call("git__git_add", {"repo_path": path, "files": ["tides.md"]}),
        Say("Every 12 hours\u30101\u2020L0\u3011. Noted."),
    ]


def assert_is_asked_for(text: str, requests: list[dict[str, Any]], repository: git.Repo) -> None:
    """The person is asked before anything is written."""
    assert "git__git_add may change something. May I call it?" in text
    assert '"files": ["tides.md"]' in text
    assert len(requests) == 6
    assert not repository.index.entries


def assert_all_was_done(
    text: str, site: SearxngDouble, requests: list[dict[str, Any]], path: str
) -> None:
    """Each call was made, its result reached the model, and the answer says what left."""
    for sent_to in (site.url.removeprefix("http://"), "program git", "program time"):
        assert f"to {sent_to} (" in text
    assert ("tides.md", 0) in git.Repo(path).index.entries
    results = [m["content"] for m in requests[-1]["messages"] if m["role"] == "tool"]
    for result, part in zip(
        results,
        ("\u30100\u2020Tides", "twice a day", "12", "Asia/Tokyo", "tides.md", "staged"),
        strict=True,
    ):
        assert part in result


def assert_are_listed(told: str) -> None:
    """Tools that may be called, and no others."""
    for name in ("calculator", "now", "browser.open", "time__get_current_time"):
        assert name in told
    assert "git_commit" not in told
