"""docs/kernels.md: what each kernel takes of each card."""

from pathlib import Path

from tests.compiled.cards import NAMES, SHARED_KIB, Capability
from tests.compiled.compiling import Compiled

PAGE = Path(__file__).parents[2] / "docs" / "kernels.md"
INTRODUCTION = """\
# Kernels by card

The kernels of the gpt-oss engine, compiled without a card by Triton {version} with the constants
that the engine launches for gpt-oss-20b, with one slot and with 32. `make kernels` compiles them.
It fails where one needs more shared memory than the card has, or an instruction that it lacks;
`python -m tests.compiled --page` writes this page. Speeds are among the
[benchmarks](benchmarks.md).

A cell has the most of a kernel's variants: KiB of shared memory, registers of a thread, and the
bytes that a thread spills, if any does.

Of the same variants (29 November 2026), Triton 3.7.1, which `uv.lock` pins, compiles all 842, and
3.9.0, the newest, all 506 for 7.5, 8.0, 8.6, 8.9 and 9.0; they fit. 3.9.0 was not tried on the
other three. On 9.0 it spills more: 312 bytes in `route.route_many` and 72 in `attention.prefill`,
where 3.7.1 spills 12 and 32.

`attention.decode` has changed since (29 November 2026): a lone sequence has 32 programs, and
from 8.0 on a thread has 128 registers at most. Triton 3.7.1 compiles its 91 variants for all
eight cards; none spills.

"""


def page(version: str, results: dict[Capability, list[Compiled]]) -> str:
    """Markdown: a row for each kernel, a column for each card."""
    columns = list(results)
    lines = [
        _row("", *(f"{_text(capability)} {NAMES[capability]}" for capability in columns)),
        _row(*["---"] * (1 + len(columns))),
        _row("*the card has*", *(f"{SHARED_KIB[capability]} KiB" for capability in columns)),
    ]
    names = sorted({compiled.kernel for found in results.values() for compiled in found})
    for name in names:
        cells = []
        for found in results.values():
            variants = [compiled for compiled in found if compiled.kernel == name]
            cells.append(_cell(variants) if variants else "-")
        lines.append(_row(f"`{name}`", *cells))
    counts = (str(len(found)) for found in results.values())
    lines.append(_row("*variants compiled*", *counts))
    return INTRODUCTION.format(version=version) + "\n".join(lines) + "\n"


def _cell(variants: list[Compiled]) -> str:
    shared = max(compiled.shared for compiled in variants) / 1024
    registers = max(compiled.registers for compiled in variants)
    spilled = max(compiled.spilled for compiled in variants)
    return f"{shared:.0f}, {registers}" + (f", {spilled} spilled" if spilled else "")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _text(capability: Capability) -> str:
    return "{}.{}".format(*capability)
