"""What a log line shows and what it never shows, in a process whose standard error is a pipe."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.waiting import HANG_SECONDS

SCRIPT = """
import logging
import structlog
from bot import log

log.configure()
ours = structlog.get_logger("bot.test")
ours.debug("detail")
ours.info("news", place="here")
logging.getLogger("some.library").info("body of a request")
logging.getLogger("some.library").warning("trouble")
secret = "sesame"
try:
    {}["key"]
except KeyError:
    ours.exception("broken")
"""


def logged(**environment: str) -> list[dict[str, Any]]:
    clean = {k: v for k, v in os.environ.items() if k != "BOT_LOG_LEVEL"}
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=HANG_SECONDS,
    )
    assert "sesame" not in process.stderr.replace('secret = "sesame"', "")
    return [json.loads(line) for line in process.stderr.splitlines()]


def test_a_line_is_one_json_object_and_a_traceback_has_no_local_variables() -> None:
    news, trouble, broken = logged()
    assert (news["event"], news["level"], news["place"]) == ("news", "info", "here")
    assert (trouble["event"], trouble["level"]) == ("trouble", "warning")
    (error,) = broken["exception"]
    assert (error["exc_type"], error["exc_value"]) == ("KeyError", "'key'")
    assert all("locals" not in frame or frame["locals"] is None for frame in error["frames"])


def test_the_level_is_the_bots_own_and_libraries_log_warnings_alone() -> None:
    events = [entry["event"] for entry in logged(BOT_LOG_LEVEL="DEBUG")]
    assert events == ["detail", "news", "trouble", "broken"]


def test_an_unknown_level_is_told_and_the_default_holds() -> None:
    first, *others = logged(BOT_LOG_LEVEL="chatty")
    assert (first["event"], first["found"]) == ("BOT_LOG_LEVEL isn't a level", "chatty")
    assert first["allowed"] == ["debug", "info", "warning", "error", "critical"]
    assert [entry["event"] for entry in others] == ["news", "trouble", "broken"]
