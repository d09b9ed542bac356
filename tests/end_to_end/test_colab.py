"""docs/colab.ipynb, from top to bottom, with the small model and Discord's double."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.config import InferenceConfig, builtin_config_dir
from bot.inference.models.catalog import ModelUnavailable, fetch
from tests.doubles.discord import DiscordDouble, Message
from tests.platforms.discord.conftest import ended
from tests.waiting import HANG_SECONDS

NOTEBOOK = Path(__file__).parents[2] / "docs" / "colab.ipynb"

pytestmark = pytest.mark.slow


async def test_the_notebook_chats_and_its_bot_answers_on_discord(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    inference = InferenceConfig()
    try:
        fetch(inference.model, inference.models_dir, lambda *_: None)
    except ModelUnavailable as error:
        pytest.skip(str(error))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    discord = DiscordDouble()
    async with discord.running():
        guild = discord.guild("Home")
        shipped = (builtin_config_dir() / "bot.yaml").read_text(encoding="utf-8")
        config = tmp_path / "config" / "bot.yaml"
        config.parent.mkdir()
        here = shipped.replace("https://discord.com/api/v10", discord.api_url)
        config.write_text(here.replace("device: ${INFERENCE_DEVICE:-auto}", "device: cpu"), "utf-8")
        monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        monkeypatch.setenv("DISCORD_TOKEN", discord.token)  # as Colab's secrets give it
        client = nbclient.NotebookClient(
            notebook, timeout=HANG_SECONDS, resources={"metadata": {"path": str(tmp_path)}}
        )
        async with client.async_setup_kernel():
            for at, cell in enumerate(notebook.cells):
                running = asyncio.create_task(client.async_execute_cell(cell, at))
                if cell.source == "!bot run":
                    await discord.until(lambda: discord.gateway.live)
                    question = guild.member("Ann").say(guild.channel("general"), "@bot Hi")
                    await _answered(discord, question)
                    await client.km.interrupt_kernel()
                    await asyncio.wait([running])  # stopping a cell may count as its failure
                else:
                    await running
    shown = {cell.source: _output(cell) for cell in notebook.cells if cell.cell_type == "code"}
    assert "Written: config/bot.yaml and .env" in _of(shown, "bot init")
    assert "bad " not in _of(shown, "bot init") + _of(shown, "bot check")
    assert "smollm2-135m" in _of(shown, "bot models list")
    assert "high · " in _of(shown, "bot chat")  # the footer of an answer
    assert "https://discord.com/oauth2/authorize?client_id=" in _of(shown, "bot discord-invite")


async def _answered(discord: DiscordDouble, question: Message) -> None:
    await discord.until(lambda: any(map(ended, question.replies)))


def _of(shown: dict[str, str], command: str) -> str:
    """What the cell with a command wrote."""
    return next(output for source, output in shown.items() if command in source)


def _output(cell: Any) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)
