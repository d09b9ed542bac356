"""`python -m tests.compiled`: every kernel of the gpt-oss engine, for every card, without one.

Another Triton than the installed one is taken from PYTHONPATH, as `make kernels TRITON=3.6.0` does.
"""

import json
import os
import sys
import tempfile
import time
from concurrent.futures import Future, ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer
from rich import print
from transformers import GptOssConfig

from bot.bench.shapes import SHAPES
from tests.compiled.cards import NAMES, Capability
from tests.compiled.compiling import Compiled, compile_launch
from tests.compiled.launches import launches
from tests.compiled.page import PAGE, page


def main(
    cards: Annotated[
        list[str] | None, typer.Argument(help="Compute capabilities such as 7.5; all without any.")
    ] = None,
    model: Annotated[str, typer.Option(help=" or ".join(SHAPES))] = "gpt-oss-20b",
    write: Annotated[bool, typer.Option("--page", help=f"Write docs/{PAGE.name} too.")] = False,
    each: Annotated[bool, typer.Option(help="Show every variant.")] = False,
) -> None:
    """Compile, and fail with what a card can't run."""
    capabilities = [c for c in NAMES if not cards or "{}.{}".format(*c) in cards]
    started = time.monotonic()
    layers, experts = SHAPES[model]
    config = GptOssConfig(num_hidden_layers=layers, num_local_experts=experts)
    with tempfile.TemporaryDirectory(prefix="kernels-") as folder:
        Path(folder, "config.json").write_text(json.dumps(config.to_dict()), encoding="utf-8")
        os.environ["TRITON_CACHE_DIR"] = folder  # what is compiled already says nothing
        results, seconds = _compile(capabilities, Path(folder))
    for capability, found in results.items():
        problems = [compiled for compiled in found if compiled.problem]
        name = "{}.{}".format(*capability)
        print(f"{name} {NAMES[capability]}: {len(found)} compiled, {len(problems)} can't run")
        for compiled in found if each else problems:
            print("   ", *vars(compiled).values())
    print(
        f"Triton {version('triton')}, {time.monotonic() - started:.0f} s,"
        f" {seconds:.0f} s of the processor"
    )
    if write:
        PAGE.write_text(page(version("triton"), results), encoding="utf-8")
    sys.exit(any(compiled.problem for found in results.values() for compiled in found))


def _compile(
    capabilities: list[Capability], folder: Path
) -> tuple[dict[Capability, list[Compiled]], float]:
    """In as many processes as there are cores; also the processor's seconds that it took."""
    compiling: dict[Capability, list[Future[Compiled]]] = {}
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        found = {each: pool.submit(launches, each, folder) for each in capabilities}
        for capability, these in found.items():
            compiling[capability] = [
                pool.submit(compile_launch, capability, launch) for launch in these.result()
            ]
        results = {
            capability: [one.result() for one in these] for capability, these in compiling.items()
        }
    used = os.times()
    return results, used.children_user + used.children_system


if __name__ == "__main__":
    typer.run(main)
