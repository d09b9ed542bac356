"""The service that the bot starts, as a process that only says what it was given."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from bot.client import supervisor as supervisor_module
from bot.client.supervisor import Supervisor
from tests.waiting import HANG_SECONDS


async def test_the_service_gets_no_secret_that_it_is_not_to_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "environment.json"
    service = tmp_path / "service"
    service.write_text(
        f"#!{sys.executable}\n"
        "import json, os, pathlib\n"
        f"path = pathlib.Path({str(told)!r})\n"
        "path.with_suffix('.part').write_text(json.dumps(dict(os.environ)))\n"
        "path.with_suffix('.part').rename(path)\n"
        "os.read(0, 1)\n",
        encoding="utf-8",
    )
    service.chmod(0o755)
    monkeypatch.setattr(supervisor_module.sys, "executable", str(service))
    monkeypatch.setenv("MY_OWN_NAME_FOR_IT", "xoxb-secret")
    monkeypatch.setenv("DATABASE", "postgresql://bot:pass@db/bot")
    monkeypatch.setenv("HF_TOKEN", "hf_needed")
    running = asyncio.create_task(Supervisor(None, ["xoxb-secret", "bot:pass"]).run())
    async with asyncio.timeout(HANG_SECONDS):
        while not told.exists():  # noqa: ASYNC110 (another process makes it)
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    environment = json.loads(told.read_text(encoding="utf-8"))
    assert environment["MY_OWN_NAME_FOR_IT"] == environment["DATABASE"] == ""
    assert environment["HF_TOKEN"] == "hf_needed"
    assert environment["BOT_SUPERVISED"] == "1"
