"""The configuration file is edited while the bot runs."""

import asyncio
from pathlib import Path

import pytest

from bot.config import Change, ConfigError, Effort, load_config, reload, watch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "bot.yaml"
    file.write_text("defaults: {effort: low}")
    return file


def test_what_can_change_does(file: Path) -> None:
    config = load_config(file)
    file.write_text("defaults: {effort: high}\npersonas: {pirate: Arr.}")
    change = reload(config)
    assert change.config.defaults.effort is Effort.HIGH
    assert "pirate" in change.config.personas
    assert change.needs_restart == []


def test_what_needs_a_restart_says_so_and_stays_as_it_runs(file: Path) -> None:
    config = load_config(file)
    file.write_text("inference: {model: other}\nstorage: {url: sqlite+aiosqlite:///x.db}")
    change = reload(config)
    assert change.needs_restart == ["inference.model", "storage.url"]
    assert change.config.inference == config.inference


def test_an_invalid_file_changes_nothing_and_says_why(file: Path) -> None:
    config = load_config(file)
    file.write_text("defaults: {effort: max}")
    with pytest.raises(ConfigError, match=r"bot\.yaml:1: defaults\.effort"):
        reload(config)


async def test_edits_are_noticed_the_good_and_the_bad(file: Path) -> None:
    config = load_config(file)
    changes = watch(lambda: config)

    async def edit_until_noticed(text: str) -> Change | ConfigError:
        noticed = asyncio.ensure_future(anext(changes))
        while not noticed.done():  # the watcher may not be set up at the first edit
            await asyncio.to_thread(file.write_text, text)
            await asyncio.wait({noticed}, timeout=0.3)
        return noticed.result()

    assert isinstance(await edit_until_noticed("defaults: {effort: max}"), ConfigError)
    change = await edit_until_noticed("defaults: {effort: high}")
    while isinstance(change, ConfigError):  # the last write of the bad text, noticed late
        change = await edit_until_noticed("defaults: {effort: high}")
    assert change.config.defaults.effort is Effort.HIGH
