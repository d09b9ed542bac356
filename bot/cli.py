"""The command `bot`. Each subcommand imports what it needs, so that `bot --help` is quick."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.exit_code import ExitCode

if TYPE_CHECKING:
    from rich.progress import TaskID

    from bot.config import Config

app = typer.Typer(
    help="A chat bot for Discord and Slack that answers with a model on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models = typer.Typer(help="The models that can be used, and fetching them.", no_args_is_help=True)
app.add_typer(models, name="models")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="BOT_CONFIG",
        help="The configuration file; without it config/bot.yaml here, or the built-in defaults.",
        show_default=False,
    ),
]


@app.command()
def chat(config: ConfigOption = None) -> None:
    """Talk to the bot in this terminal; piped lines are answered one after another."""
    _run(config, console=True)


@app.command()
def run(config: ConfigOption = None) -> None:
    """Run the bot on the chat platforms that the configuration names."""
    _run(config, console=False)


@app.command()
def serve(
    config: ConfigOption = None,
    listen: Annotated[
        str | None,
        typer.Option(help="HOST:PORT instead of inference.listen.", show_default=False),
    ] = None,
) -> None:
    """Run the inference service: one model behind OpenAI's chat completions API."""
    from bot import log
    from bot.inference.server import run_server

    loaded = _load(config)
    log.configure()
    raise typer.Exit(run_server(loaded, listen=listen))


@app.command()
def check(config: ConfigOption = None) -> None:
    """Check configuration, model, device and tokens, one line each."""
    from rich.console import Console

    from bot.check import check as run_checks

    console = Console(highlight=False)
    passed = True
    for finding in run_checks(_load(config)):
        mark = "[green]ok[/green]  " if finding.ok else "[red]bad[/red] "
        console.print(f"{mark} {finding.subject}:", end=" ")
        console.print(finding.detail, markup=False, soft_wrap=True)
        passed &= finding.ok
    raise typer.Exit(ExitCode.OK if passed else ExitCode.UNUSABLE)


@models.command("list")
def models_list(config: ConfigOption = None) -> None:
    """The models with a name of their own, and whether they are on this machine."""
    from rich.console import Console
    from rich.table import Table

    from bot.inference.models import is_fetched, presets

    inference = _load(config).inference
    table = Table("Name", "Size", "License", "Here", "What it is", box=None, pad_edge=False)
    for name, preset in presets().items():
        here = "yes" if is_fetched(name, inference.models_dir) else "no"
        in_use = "[bold]" if name == inference.model else ""
        table.add_row(f"{in_use}{name}", preset.size_text, preset.license, here, preset.description)
    console = Console()
    console.print(table)
    console.print("Any Hugging Face id (owner/name) or local folder works too.", style="dim")


@models.command("fetch")
def models_fetch(
    name: Annotated[str | None, typer.Argument(help="A name; inference.model without it.")] = None,
    config: ConfigOption = None,
) -> None:
    """Download a model and make it ready, so that the next start is quick."""
    from rich.progress import Progress

    from bot.inference.models import ModelUnavailable, fetch

    inference = _load(config).inference
    name = name or inference.model
    with Progress() as progress:
        stages: dict[str, TaskID] = {}

        def show(stage: str, fraction: float) -> None:
            if stage not in stages:
                stages[stage] = progress.add_task(f"{stage} {name}", total=1.0)
            progress.update(stages[stage], completed=fraction)

        try:
            folder = fetch(name, inference.models_dir, show)
        except ModelUnavailable as error:
            progress.stop()
            typer.echo(str(error), err=True)
            raise typer.Exit(ExitCode.UNUSABLE) from error
    typer.echo(f"{name} is in {folder}")


def _load(path: Path | None) -> "Config":
    from bot.config import ConfigError, load_config

    try:
        return load_config(path)
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(problem, err=True)
        raise typer.Exit(ExitCode.UNUSABLE) from error


def _run(path: Path | None, *, console: bool) -> None:
    from bot import log
    from bot.app import App
    from bot.storage import StorageError

    config = _load(path)
    log.configure("warning" if console else "info")
    try:
        raise typer.Exit(asyncio.run(App(config).run(console=console)))
    except StorageError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.UNUSABLE) from error
