"""A result, for a terminal."""

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table

from bot.bench.result import Kernel, Result

SHOWN_KERNELS = 12


def report(result: Result) -> RenderableType:
    """The figures as a table, speeds as bars, and the kernels of a step if there are any."""
    settings = ", ".join(f"{name} {value}" for name, value in result.settings.items())
    table = Table(title=f"{result.model} on {result.device}; {settings}", caption=result.remark)
    for heading in ("", "bot serve", result.compared_with, "ratio"):
        table.add_column(heading, justify="right" if heading else "left")
    bars = Table.grid(padding=(0, 2))
    for figure in result.figures:
        measured = _text(figure.value, figure.unit)
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        table.add_row(
            figure.name, measured, _text(figure.compared, figure.unit), figure.note or ratio
        )
        if figure.unit == "tokens/s" and figure.value and figure.compared:
            most = max(figure.value, figure.compared)
            for who, speed in (
                ("bot serve", figure.value),
                (result.compared_with, figure.compared),
            ):
                bar = ProgressBar(most, speed, width=40)
                bars.add_row(f"{figure.name}: {who}", bar, _text(speed, figure.unit))
    parts = [_kernels(result.kernels)] if result.kernels else []
    return Group(table, "", bars, *parts)


def _kernels(steps: dict[str, list[Kernel]]) -> Table:
    table = Table(title="Kernels of a decode step")
    for heading in ("", "calls", "µs each", "ms a step"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, kernels in steps.items():
        table.add_section()
        table.add_row(f"[bold]{name}")
        for kernel in kernels[:SHOWN_KERNELS]:
            each = kernel.seconds / kernel.calls * 1e6
            step = kernel.seconds * 1e3
            table.add_row(kernel.name[:60], f"{kernel.calls:.0f}", f"{each:.1f}", f"{step:.3f}")
    return table


def _text(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    match unit:
        case "s":
            return f"{value:.1f} s" if value >= 1 else f"{value * 1000:.1f} ms"
        case "bytes":
            return f"{value / 2**30:.1f} GiB" if value >= 2**33 else f"{value / 2**20:.0f} MiB"
        case "tokens/s":
            return f"{value:.0f} tokens/s" if value >= 100 else f"{value:.1f} tokens/s"
        case _:
            return f"{value:.2f}"
