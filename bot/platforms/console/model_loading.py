"""What a person sees while the model is fetched, converted and loaded."""

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

from bot.client import InferenceClient


async def show_loading(client: InferenceClient, console: Console) -> None:
    """A bar with the service's stage until it is ready; nothing if it is already."""
    health = await client.health()
    if health.ready:
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        while not health.ready:
            if health.progress is not None:
                bar.update(task, description=health.status, completed=health.progress, total=1.0)
            health = await client.next_health()
