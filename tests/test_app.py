"""The running bot, where no process can show it."""

from collections.abc import AsyncIterator, Callable
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs

from bot.app import App
from bot.config import Config, ConfigChange
from bot.storage import Store


async def test_a_watcher_that_fails_is_told_and_does_not_end_the_bot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def watch(current: Callable[[], Config]) -> AsyncIterator[ConfigChange]:
        raise OSError("inotify watch limit reached")
        yield

    monkeypatch.setattr("bot.app.watch", watch)
    with capture_logs() as logs:
        await App(Config())._reload(Mock(Store))
    assert [(entry["log_level"], entry["event"]) for entry in logs] == [
        ("error", "the configuration file is no longer watched for changes")
    ]
