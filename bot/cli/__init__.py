"""The command `bot`. Each subcommand imports what it needs, so that `bot --help` is quick."""

import os
import platform
from typing import Annotated

import typer

from bot import __version__
from bot.cli.config import end
from bot.cli.measuring import bench
from bot.cli.models import models_fetch, models_list
from bot.cli.platforms import discord_invite, slack_manifest
from bot.cli.running import chat, run, serve
from bot.cli.setup import check, init
from bot.exit_code import ExitCode
from bot.home import ensure_home

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"gptoss-bot {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """A chat bot for Discord and Slack that answers with a model on your own machine."""
    if platform.system() == "Windows":
        typer.echo(
            "gptoss-bot doesn't run on Windows itself: run it in WSL 2"
            " (https://learn.microsoft.com/windows/wsl/install) or in Docker",
            err=True,
        )
        raise typer.Exit(ExitCode.UNUSABLE)
    ensure_home()
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # nothing reports home
    from bot.config import ConfigError, read_dotenv

    try:
        if "BOT_SUPERVISED" not in os.environ:  # whoever started this service has read it
            read_dotenv()
    except ConfigError as error:
        end(error)


for command in (chat, run, serve, init, check, bench):
    app.command()(command)
app.command("discord-invite")(discord_invite)
app.command("slack-manifest")(slack_manifest)

models_app = typer.Typer(
    help="The models that can be used, and fetching them.", no_args_is_help=True
)
models_app.command("list")(models_list)
models_app.command("fetch")(models_fetch)
app.add_typer(models_app, name="models")
