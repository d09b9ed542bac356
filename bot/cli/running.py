"""The commands that run: `bot chat`, `bot run` and `bot serve`."""

import asyncio
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.config import ConfigOption, load
from bot.cli.models import require_inference
from bot.exit_code import ExitCode

if TYPE_CHECKING:
    from bot.config import Config


def chat(config: ConfigOption = None) -> None:
    """Talk to the bot in this terminal; piped lines are answered one after another."""
    _run(load(config), console=True)


def run(config: ConfigOption = None) -> None:
    """Run the bot on the chat platforms that the configuration names."""
    loaded = load(config)
    if not (loaded.discord.token.get_secret_value() or loaded.slack.is_set):
        typer.echo(
            "no platform to run on: set discord.token or slack.bot_token in"
            f" {loaded.path or 'config/bot.yaml'}, or talk in this terminal with bot chat",
            err=True,
        )
        raise typer.Exit(ExitCode.UNUSABLE)
    _run(loaded, console=False)


def serve(
    config: ConfigOption = None,
    listen: Annotated[
        str | None,
        typer.Option(help="HOST:PORT instead of inference.listen.", show_default=False),
    ] = None,
) -> None:
    """Run the inference service: one model behind OpenAI's chat completions API."""
    require_inference()
    from bot import log, tracing
    from bot.inference.server.process import run_server

    loaded = load(config)
    log.configure()
    tracing.configure("gptoss-bot-inference")
    raise typer.Exit(run_server(loaded, listen=listen))


def _run(config: "Config", *, console: bool) -> None:
    from bot import log, tracing
    from bot.app import App
    from bot.storage import StorageError

    async def until_signalled() -> ExitCode:
        app, loop = App(config), asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, app.stop)
        loop.add_signal_handler(signal.SIGINT, app.interrupt)
        return await app.run(console=console)

    log.configure("warning" if console else "info")
    tracing.configure("gptoss-bot")
    try:
        raise typer.Exit(asyncio.run(until_signalled()))
    except StorageError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.UNUSABLE) from error
