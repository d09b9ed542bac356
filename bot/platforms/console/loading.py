"""What a person sees while the model is fetched, converted and loaded."""

import asyncio

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

from bot.inference.client import InferenceClient

POLL_SECONDS = 0.25


async def show_loading(client: InferenceClient, console: Console) -> None:
    """A bar with the service's stage until it is ready; nothing if it is already."""
    if (await client.health()).ready:
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        while not (health := await client.health()).ready:
            if health.progress is not None:
                bar.update(task, description=health.status, completed=health.progress, total=1.0)
            await asyncio.sleep(POLL_SECONDS)
