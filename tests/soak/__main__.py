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

from tests.soak import faults, load
from tests.soak.drill import Scale


def main(
    minutes: Annotated[float, typer.Option(help="Of overload.")] = 5.0,
    times: Annotated[int, typer.Option(help="Of what is repeated.")] = 1000,
) -> None:
    """Try what an operator is promised under load and faults."""
    console = Console()
    table = Table("What was done", "How often", "What was promised", "What happened", "Seconds", "")
    broken = 0
    for drill in [*load.DRILLS, *faults.DRILLS]:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, console.status(drill.done):
            try:
                outcome = asyncio.run(drill.run(Path(folder), Scale(minutes, times)))
                often, happened, kept = str(outcome.times), outcome.happened, outcome.kept
            except Exception as error:
                traceback.print_exception(error)
                often, happened, kept = "", f"{type(error).__name__}: {error}"[:200], False
        broken += not kept
        mark = "[green]kept[/]" if kept else "[red]broken[/]"
        seconds = f"{time.monotonic() - began:.0f}"
        table.add_row(drill.done, often, drill.promise, happened, seconds, mark)
    console.print(table)
    raise typer.Exit(1 if broken else 0)


typer.run(main)
