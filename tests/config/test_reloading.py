"""The configuration file is edited while the bot runs."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.config import ConfigChange, ConfigError, Effort, load_config, reload, watch


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


def test_what_changed_is_told_without_long_texts_and_secrets(file: Path) -> None:
    file.write_text("defaults: {effort: low}\nweb: {api_key: sesame}")
    config = load_config(file)
    file.write_text(
        "defaults: {effort: high}\nweb: {api_key: open}\n"
        f"personas: {{pirate: {'Arr! ' * 20}}}\naccess: {{block: {{users: [2, 1]}}}}\n"
        "inference: {model: other}"
    )
    assert reload(config).changed == {
        "defaults.effort": ("low", "high"),
        "web.api_key": ("**********", "**********"),
        "personas.pirate.prompt": (None, "…"),
        "access.block.users": (None, "1, 2"),
    }


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


Changes = AsyncIterator[ConfigChange | ConfigError]


async def written_until_noticed(
    changes: Changes, file: Path, text: str
) -> ConfigChange | ConfigError:
    noticed = asyncio.ensure_future(anext(changes))
    while not noticed.done():  # the watcher may not be set up at the first edit
        await asyncio.to_thread(file.write_text, text)
        await asyncio.wait({noticed}, timeout=0.3)
    return noticed.result()


async def test_edits_are_noticed_the_good_and_the_bad(file: Path) -> None:
    config = load_config(file)
    changes = watch(lambda: config)
    bad, good = "defaults: {effort: max}", "defaults: {effort: high}"
    assert isinstance(await written_until_noticed(changes, file, bad), ConfigError)
    change = await written_until_noticed(changes, file, good)
    while isinstance(change, ConfigError):  # the last write of the bad text, noticed late
        change = await written_until_noticed(changes, file, good)
    assert change.config.defaults.effort is Effort.HIGH


async def test_a_folder_of_personas_that_is_made_later_is_watched_too(file: Path) -> None:
    config = load_config(file)
    changes = watch(lambda: config)
    await written_until_noticed(changes, file, "defaults: {effort: high}")
    (file.parent / "personas").mkdir()
    pirate = file.parent / "personas" / "pirate.yaml"
    for prompt in ("Arr.", "Ahoy."):  # with the folder, and in it
        change = await written_until_noticed(changes, pirate, prompt)
        while isinstance(change, ConfigError) or "pirate" not in change.config.personas:
            change = await written_until_noticed(changes, pirate, prompt)
    assert change.config.personas["pirate"].prompt == "Ahoy."
