"""The commands about models: `bot models list` and `bot models fetch`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.config import ConfigOption, load
from bot.exit_code import ExitCode

if TYPE_CHECKING:
    from rich.progress import TaskID


def models_list(config: ConfigOption = None) -> None:
    """The models with a name of their own, and whether they are on this machine."""
    from rich.console import Console
    from rich.table import Table

    from bot.inference.models.catalog import is_fetched, presets

    inference = load(config).inference
    table = Table("Name", "Size", "License", "Here", "What it is", box=None, pad_edge=False)
    for name, preset in presets().items():
        here = "yes" if is_fetched(name, inference.models_dir) else "no"
        in_use = "[bold]" if name == inference.model else ""
        table.add_row(f"{in_use}{name}", preset.size_text, preset.license, here, preset.description)
    console = Console()
    console.print(table)
    console.print("Any Hugging Face id (owner/name) or local folder works too.", style="dim")


def models_fetch(
    name: Annotated[str | None, typer.Argument(help="A name; inference.model without it.")] = None,
    config: ConfigOption = None,
) -> None:
    """Download a model and make it ready, so that the next start is quick."""
    require_inference()
    from bot.inference.models.requirements import unmet

    inference = load(config).inference
    inference = inference.model_copy(update={"model": name or inference.model})
    if problem := unmet(inference):
        typer.echo(problem, err=True)
        raise typer.Exit(ExitCode.UNUSABLE)
    typer.echo(f"{inference.model} is in {fetch_model(inference.model, inference.models_dir)}")


def fetch_model(name: str, models_dir: Path) -> Path:
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


def require_inference() -> None:
    """End with one line where the extra with torch and the like is not installed."""
    from bot.inference.models.machine import lacking_libraries

    if problem := lacking_libraries():
        typer.echo(problem, err=True)
        raise typer.Exit(ExitCode.UNUSABLE)
