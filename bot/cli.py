"""The command `bot`. Each subcommand imports what it needs, so that `bot --help` is quick."""

import asyncio
import os
import platform
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from bot import __version__
from bot.exit_code import ExitCode
from bot.home import ensure_home

if TYPE_CHECKING:
    from rich.progress import TaskID

    from bot.config import Config, ConfigError
    from bot.inference.models.requirements import Finding

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models = typer.Typer(help="The models that can be used, and fetching them.", no_args_is_help=True)
app.add_typer(models, name="models")


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
        _end(error)


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
    _run(_load(config), console=True)


@app.command()
def run(config: ConfigOption = None) -> None:
    """Run the bot on the chat platforms that the configuration names."""
    loaded = _load(config)
    if not (loaded.discord.token.get_secret_value() or loaded.slack.is_set):
        typer.echo(
            "no platform to run on: set discord.token or slack.bot_token in"
            f" {loaded.path or 'config/bot.yaml'}, or talk in this terminal with bot chat",
            err=True,
        )
        raise typer.Exit(ExitCode.UNUSABLE)
    _run(loaded, console=False)


@app.command()
def serve(
    config: ConfigOption = None,
    listen: Annotated[
        str | None,
        typer.Option(help="HOST:PORT instead of inference.listen.", show_default=False),
    ] = None,
) -> None:
    """Run the inference service: one model behind OpenAI's chat completions API."""
    _require_inference()
    from bot import log, tracing
    from bot.inference.server.process import run_server

    loaded = _load(config)
    log.configure()
    tracing.configure("gptoss-bot-inference")
    raise typer.Exit(run_server(loaded, listen=listen))


@app.command()
def init(config: ConfigOption = None) -> None:
    """Ask what the bot needs to know, write config/bot.yaml and .env, and check that it works."""
    from bot.config import ConfigError
    from bot.init import init as ask

    try:
        findings = ask(config)
    except ConfigError as error:
        _end(error)
    _show(findings)


@app.command()
def check(config: ConfigOption = None) -> None:
    """Check configuration, model, machine, tokens and database, one line each."""
    loaded = _load(config)
    from bot.check import check as run_checks

    _show(run_checks(loaded))


def _show(findings: "Iterable[Finding]") -> NoReturn:
    """A line for each finding, and the end: with 2 where something is bad."""
    from rich.console import Console

    console = Console(highlight=False)
    passed = True
    for finding in findings:
        mark = "[green]ok[/green]  " if finding.ok else "[red]bad[/red] "
        console.print(f"{mark} {finding.subject}:", end=" ")
        console.print(finding.detail, markup=False, soft_wrap=True)
        passed &= finding.ok
    raise typer.Exit(ExitCode.OK if passed else ExitCode.UNUSABLE)


@app.command()
def bench(
    config: ConfigOption = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the figures to this file too.", show_default=False),
    ] = None,
    engine: Annotated[
        Literal["auto", "gptoss", "transformers"] | None,
        typer.Option(help="Instead of inference.engine.", show_default=False),
    ] = None,
    synthetic: Annotated[
        str | None,
        typer.Option(
            help="gpt-oss-20b or gpt-oss-120b: the gpt-oss engine on random weights of that size.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        Literal["exact", "int8"] | None,
        typer.Option(
            help="Instead of inference.weights; --synthetic measures both without it.",
            show_default=False,
        ),
    ] = None,
    older_card: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="CAPABILITY",
            help="With --synthetic: the kernels of an older card on this one, such as 8.0.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Measure the configured model here, beside plain transformers on the same model."""
    _require_inference()
    from bot.bench.command import run_bench
    from bot.bench.shapes import SHAPES
    from bot.inference.engines import EngineError

    inference = _load(config).inference
    if synthetic is not None and synthetic not in SHAPES:
        raise typer.BadParameter(f"allowed: {', '.join(SHAPES)}", param_hint="--synthetic")
    if synthetic is not None and engine == "transformers":
        raise typer.BadParameter(
            "--synthetic measures gptoss, and transformers beside it", param_hint="--engine"
        )
    if weights and synthetic is None and (engine or inference.engine) != "gptoss":
        raise typer.BadParameter(
            "only the gpt-oss engine has a choice of weights: add --engine gptoss or --synthetic",
            param_hint="--weights",
        )
    if older_card and synthetic is None:
        raise typer.BadParameter("goes with --synthetic only", param_hint="--as")
    try:
        folder = None if synthetic else _fetch(inference.model, inference.models_dir)
        run_bench(
            inference,
            folder,
            engine=engine,
            synthetic=synthetic or "",
            weights=weights,
            older_card=older_card,
            json_file=json_file,
        )
    except EngineError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.UNUSABLE) from error


@app.command("discord-invite")
def discord_invite(
    application: Annotated[
        int | None,
        typer.Argument(
            help="The application's id; the token's own without it.", show_default=False
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Print the link with which people add the bot to their Discord server."""
    from bot.platforms.discord.permissions import invitation
    from bot.platforms.inspection import PlatformProblem, inspect_discord

    try:
        id = application or asyncio.run(inspect_discord(_load(config).discord)).application
    except PlatformProblem as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.UNUSABLE) from error
    typer.echo(invitation(id))


@app.command("slack-manifest")
def slack_manifest(
    config: ConfigOption = None,
    name: Annotated[
        str, typer.Option(help="The app's name, at most 35 characters.")
    ] = "gptoss-bot",
    prefix: Annotated[
        str | None,
        typer.Option(
            help="What the commands' names begin with; slack.command_prefix without it.",
            show_default=False,
        ),
    ] = None,
    one_command: Annotated[
        bool, typer.Option("--one-command", help="One command for all: /bot effort.")
    ] = False,
    url: Annotated[
        str, typer.Option(help="https://YOUR.HOST for HTTP; Socket Mode without it.")
    ] = "",
    link: Annotated[bool, typer.Option("--link", help="A link that makes the app.")] = False,
) -> None:
    """Write the manifest of the Slack app, for api.slack.com/apps → From a manifest."""
    from bot.platforms.slack.manifest import as_yaml, creation_link, manifest

    if prefix is None:
        prefix = _load(config).slack.command_prefix
    try:
        content = manifest(name, prefix, one_command=one_command, address=url)
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.UNUSABLE) from error
    typer.echo(creation_link(content) if link else as_yaml(content), nl=link)


@models.command("list")
def models_list(config: ConfigOption = None) -> None:
    """The models with a name of their own, and whether they are on this machine."""
    from rich.console import Console
    from rich.table import Table

    from bot.inference.models.catalog import is_fetched, presets

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
    _require_inference()
    from bot.inference.models.requirements import unmet

    inference = _load(config).inference
    inference = inference.model_copy(update={"model": name or inference.model})
    if problem := unmet(inference):
        typer.echo(problem, err=True)
        raise typer.Exit(ExitCode.UNUSABLE)
    typer.echo(f"{inference.model} is in {_fetch(inference.model, inference.models_dir)}")


def _fetch(name: str, models_dir: Path) -> Path:
    """The model's folder, fetched with a progress bar if it isn't there."""
    from rich.console import Console
    from rich.progress import Progress

    from bot.inference.models.catalog import ModelUnavailable, fetch

    progress = Progress(console=Console(stderr=True))
    stages: dict[str, TaskID] = {}

    def show(stage: str, fraction: float) -> None:
        if stage not in stages:
            progress.start()
            stages[stage] = progress.add_task(f"{stage} {name}", total=1.0)
        progress.update(stages[stage], completed=fraction)

    try:
        return fetch(name, models_dir, show)
    except ModelUnavailable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.UNUSABLE) from error
    finally:
        if stages:
            progress.stop()


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


def _require_inference() -> None:
    """End with one line where the extra with torch and the like is not installed."""
    from bot.inference.models.machine import lacking_libraries

    if problem := lacking_libraries():
        typer.echo(problem, err=True)
        raise typer.Exit(ExitCode.UNUSABLE)


def _load(path: Path | None) -> "Config":
    from bot.config import ConfigError, load_config

    try:
        return load_config(path)
    except ConfigError as error:
        _end(error)


def _end(error: "ConfigError") -> NoReturn:
    for problem in error.problems:
        typer.echo(problem, err=True)
    raise typer.Exit(ExitCode.UNUSABLE) from error
