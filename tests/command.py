"""`bot …` run to its end in the tests' own process: what a person is told, and the exit code.

Where the subject is a process (pipes, terminals, signals), and for the commands that set up logging
(chat, run, serve), tests take `end_to_end/processes.py` instead.
"""

import os
from pathlib import Path
from unittest.mock import patch

from typer.testing import CliRunner, Result

from bot.cli import app

SETTINGS = ("BOT_", "INFERENCE_", "DISCORD_", "SLACK_", "STORAGE_", "CREDENTIALS_")
"""How the names of the variables begin that the bot takes its settings from."""


def environment(changes: dict[str, str]) -> dict[str, str]:
    """That of the tests with `changes`, and without settings from outside."""
    return {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)} | changes


def run_command(*arguments: str | Path, stdin: str = "", **variables: str) -> Result:
    """`bot` with `arguments` and what is typed; a test with a running loop calls this in a thread.

    What it adds to the environment, from .env for one, is gone afterwards.
    """
    with (
        patch.dict(os.environ, environment(variables), clear=True),
        patch.dict("bot.config.environment._read"),
    ):
        words = [str(argument) for argument in arguments]
        return CliRunner().invoke(app, words, input=stdin, catch_exceptions=False)
