"""`make soak`: every drill at full length, and a table of what happened."""

import asyncio
import tempfile
import time
import traceback
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from transformers.utils.logging import disable_progress_bar

from tests.soak.drill import Drill, Outcome, Scale
from tests.soak.drills import DRILLS

COLUMNS = ("What was done", "How often", "What was promised", "What happened", "Seconds", "")


def main(
    minutes: Annotated[float, typer.Option(help="Of overload.")] = 5.0,
    times: Annotated[int, typer.Option(help="Of what is repeated.")] = 1000,
) -> None:
    """Try what an operator is promised under load and faults; exit code 1 if a promise broke."""
    disable_progress_bar()
    console = Console()
    table = Table(*COLUMNS, show_lines=True)
    broken = 0
    for drill in DRILLS:
        began = time.monotonic()
        with console.status(drill.done):
            outcome = _try(drill, Scale(minutes, times))
        seconds = time.monotonic() - began
        broken += not outcome.kept
        table.add_row(
            drill.done,
            str(outcome.times),
            drill.promise,
            outcome.happened,
            f"{seconds:.0f}",
            "[green]kept[/]" if outcome.kept else "[red]broken[/]",
        )
    console.print(table)
    raise typer.Exit(1 if broken else 0)


def _try(drill: Drill, scale: Scale) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return asyncio.run(drill.run(Path(folder), scale))
        except Exception as error:
            traceback.print_exception(error)
            return Outcome(0, f"{type(error).__name__}: {error}"[:200], kept=False)


typer.run(main)
