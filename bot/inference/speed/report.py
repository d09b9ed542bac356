"""What was measured, for a terminal."""

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table

from bot.inference.speed.result import Speed

SHOWN_KERNELS = 12


def report(speed: Speed) -> RenderableType:
    """The figures as a table, and decode speeds as bars up to the limit."""
    versions = f"torch {speed.torch}, Triton {speed.triton}"
    table = Table(title=f"{speed.shape}, {speed.weights}, on {speed.card}; {versions}")
    for heading in ("", "measured", "limit", "share"):
        table.add_column(heading, justify="left" if not heading else "right")
    bars = Table.grid(padding=(0, 2))
    for decode in speed.decodes:
        label = f"decode, batch {decode.batch} after {decode.context} tokens"
        share = decode.speed / decode.limit
        table.add_row(label, f"{decode.speed:.0f} tokens/s", f"{decode.limit:.0f}", f"{share:.0%}")
        bars.add_row(label, ProgressBar(1.0, share, width=50), f"{share:.0%} of the limit")
    for name, seconds in speed.first_tokens.items():
        table.add_row(f"first token, {name}", f"{seconds * 1000:.1f} ms")
    table.add_row("stop to next token", f"{speed.stop_to_next_token * 1000:.1f} ms")
    label = "transformers, the hub's MXFP4 kernels"
    if speed.transformers is None:
        table.add_row(label, speed.transformers_missing or "not measured")
    else:
        times = speed.decodes[0].speed / speed.transformers
        table.add_row(label, f"{speed.transformers:.0f} tokens/s", "", f"1/{times:.0f} of ours")
    if speed.served is not None:
        share = speed.served / speed.decodes[0].speed
        table.add_row("through bot serve", f"{speed.served:.0f} tokens/s", "", f"{share:.0%}")
    table.add_row("loading and warm-up", f"{speed.loading:.1f} s")
    table.add_row("memory", f"{speed.memory / 1e9:.1f} GB")
    table.caption = (
        f"The limit is the bytes of a step at {speed.bandwidth / 1e12:.2f} TB/s,"
        " the bandwidth of a large copy here."
    )
    parts = Table(title="Kernels of a decode step")
    for heading in ("", "calls", "µs each", "ms a step"):
        parts.add_column(heading, justify="left" if not heading else "right")
    for label, kernels in speed.kernels.items():
        parts.add_section()
        parts.add_row(f"[bold]{label}")
        for kernel in kernels[:SHOWN_KERNELS]:
            each = kernel.seconds / kernel.calls * 1e6
            step = kernel.seconds * 1e3
            parts.add_row(kernel.name[:60], f"{kernel.calls:.0f}", f"{each:.1f}", f"{step:.3f}")
    return Group(table, "", bars, "", parts)
