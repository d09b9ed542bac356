"""Compiling one kernel for a card that is not there, down to the card's own instructions."""

import contextlib
import importlib
import io
import json
import re
from dataclasses import dataclass

from triton import knobs

from tests.compiled.cards import SHARED_KIB, Capability, card
from tests.compiled.launches import Launch


@dataclass(frozen=True)
class Compiled:
    """What a kernel takes: bytes of shared memory, registers and spilled bytes of a thread.

    `problem` is why the card can't run it, in one line; empty if it can.
    """

    kernel: str
    constants: str
    shared: int = 0
    registers: int = 0
    spilled: int = 0
    problem: str = ""


def compile_launch(capability: Capability, launch: Launch) -> Compiled:
    """Compile `launch` for `capability`, with the ptxas that Triton brings.

    ptxas refuses instructions that the card lacks.
    """
    kernel = f"{launch.module.rpartition('.')[2]}.{launch.name.strip('_')}"
    record = json.loads(launch.specialization)
    values = [value.get("constexpr") if isinstance(value, dict) else value
              for value in record["constant_vals"]]  # fmt: skip
    constants = f"{values}, {record['options']['num_warps']} warps"
    function = getattr(importlib.import_module(launch.module), launch.name)
    function = getattr(function, "fn", function) if not hasattr(function, "preload") else function
    said = io.StringIO()
    try:
        with card(capability), knobs.nvidia.scope(), contextlib.redirect_stdout(said):
            knobs.nvidia.dump_ptxas_log = True
            compiled = function.preload(launch.specialization)
    except Exception as error:  # whatever the compiler raises is what is looked for
        ptxas_says = re.search(r"; error\s*: (.+)", str(error))
        problem = ptxas_says[1] if ptxas_says else str(error).partition("\n")[0]
        return Compiled(kernel, constants, problem=problem)
    log = said.getvalue()
    shared = compiled.metadata.shared
    most = SHARED_KIB[capability] * 1024
    return Compiled(
        kernel,
        constants,
        shared,
        _number(r"Used (\d+) registers", log),
        _number(r"(\d+) bytes spill stores", log),
        f"needs {shared} bytes of shared memory, and the card has {most}" if shared > most else "",
    )


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0
