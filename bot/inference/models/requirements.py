"""Whether a model can run on this machine, before anything of it is downloaded or loaded.

`bot check`, `bot init`, `bot models fetch` and `bot serve` ask the same function.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.inference.models.catalog import (
    ModelUnavailable,
    Preset,
    download_folder,
    find,
    preset_of,
)
from bot.inference.models.machine import Card, Machine, find_machine

if TYPE_CHECKING:
    from bot.config import InferenceConfig

LEAST_CAPABILITY = (7, 5)
"""Of a CUDA card for gpt-oss: its engine's, and transformers' for the same weights."""
INT8_CAPABILITY = (8, 0)
"""From which its engine keeps weights of eight bits: tensor cores that Triton has use of."""
WORKSPACE = 10**9
"""Bytes of a card beside weights and context: CUDA itself, activations, graphs."""
LEAST_CONTEXT = 1024
ELSEWHERE = (
    "set inference.url to a server that has the model (llama.cpp's llama-server, Ollama, vLLM),"
    " or inference.model: smollm2-135m, which runs on a CPU"
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is as it should be, and what was found."""

    subject: str
    ok: bool
    detail: str


def requirements(config: "InferenceConfig", machine: Machine | None = None) -> Iterator[Finding]:
    """What model, device, memory, disk and tools are like; nothing is changed or fetched."""
    try:
        folder = find(config.model, config.models_dir)
    except ModelUnavailable as error:
        yield Finding("model", False, str(error))
        return
    machine = machine or find_machine(config.device)  # which imports torch: seconds
    preset = preset_of(config.model)
    yield _model(config, folder, preset)
    yield _device(machine)
    if machine.problem:
        return
    if preset and preset.cache_bytes_per_token:  # gpt-oss
        yield from _card(config, machine, preset)
    elif preset and machine.card is None and 0 < machine.memory < preset.size_bytes:
        yield Finding(
            "memory",
            False,
            f"{config.model} needs {_gb(preset.size_bytes)}, this machine has"
            f" {_gb(machine.memory)}: set a smaller inference.model",
        )
    if folder is None and preset:
        yield _disk(config, preset)


def unmet(config: "InferenceConfig", machine: Machine | None = None) -> str | None:
    """The first thing that keeps the model from running here, in one line; None if nothing does."""
    return next((f.detail for f in requirements(config, machine) if not f.ok), None)


def _model(config: "InferenceConfig", folder: Path | None, preset: Preset | None) -> Finding:
    if folder:
        return Finding("model", True, f"{config.model}, on disk")
    size = f" ({preset.size_text})" if preset else ""
    fetched = (
        f"{config.model}{size} is fetched at the first start, or before it by bot models fetch"
    )
    return Finding("model", True, fetched)


def _device(machine: Machine) -> Finding:
    if machine.problem:
        return Finding("device", False, machine.problem)
    if machine.card is None:
        return Finding("device", True, f"CPU, {machine.threads} threads, {machine.torch}")
    card = machine.card
    capability = "{}.{}".format(*card.capability)
    detail = f"{card.name}, {_gb(card.total)}, compute capability {capability}, {machine.torch}"
    return Finding("device", True, detail)


def _card(config: "InferenceConfig", machine: Machine, preset: Preset) -> Iterator[Finding]:
    """What gpt-oss needs: a CUDA card with room, and what compiles Triton's kernels."""
    name, card = config.model, machine.card
    if card is None or machine.rocm:
        here = f"and this is {machine.torch}" if machine.rocm else "and this machine has none"
        needed = _gb(_needed(config, preset, LEAST_CONTEXT))
        yield Finding("card", False, f"{name} needs a CUDA card with {needed}, {here}: {ELSEWHERE}")
        return
    if card.capability < LEAST_CAPABILITY:
        has, needs = ("{}.{}".format(*pair) for pair in (card.capability, LEAST_CAPABILITY))
        yield Finding(
            "card",
            False,
            f"{card.name} has compute capability {has}, and {name} needs {needs}: {ELSEWHERE}",
        )
        return
    yield _memory(config, card, preset)
    if not machine.triton:
        yield Finding(
            "triton", False, f"{name} needs Triton, which is not installed: pip install triton"
        )
    elif not machine.compiler:
        yield Finding(
            "compiler",
            False,
            "Triton compiles kernels at run time and finds no C compiler:"
            " install gcc (apt install gcc), or set CC to one",
        )
    elif not machine.headers:
        yield Finding(
            "compiler",
            False,
            "Triton compiles kernels at run time and finds no Python.h: install"
            " Python's headers (apt install python3-dev)",
        )
    else:
        yield Finding("compiler", True, f"{machine.compiler}, with Python's headers")


def _memory(config: "InferenceConfig", card: Card, preset: Preset) -> Finding:
    if card.capability < INT8_CAPABILITY:
        config = config.model_copy(update={"weights": "exact"})
    room = card.free - _needed(config, preset, 0)
    assert preset.cache_bytes_per_token
    tokens = max(0, room) // preset.cache_bytes_per_token
    has = f"{_gb(card.free)} of {_gb(card.total)} are free"
    if tokens < LEAST_CONTEXT:
        needed = _gb(_needed(config, preset, LEAST_CONTEXT))
        if card.total < _needed(config, preset, LEAST_CONTEXT):
            has = f"{card.name} has {_gb(card.total)}"
            too_small = f"{config.model} needs {needed} of a card's memory, and {has}: {ELSEWHERE}"
            return Finding("memory", False, too_small)
        return Finding(
            "memory",
            False,
            f"{config.model} needs {needed} of the card's memory, and {has}: end"
            f" what else uses the card, or {ELSEWHERE}",
        )
    fits = f"{config.model} fits with {tokens:,} tokens of context for all slots together; {has}"
    return Finding("memory", True, fits)


def _needed(config: "InferenceConfig", preset: Preset, context: int) -> int:
    """Bytes of a card. Only the gpt-oss engine has weights of eight bits, from 8.0 on."""
    eight_bits = config.weights == "int8" and config.engine != "transformers"
    weights = preset.size_bytes - (preset.int8_saves_bytes if eight_bits else 0)
    return weights + WORKSPACE + context * (preset.cache_bytes_per_token or 0)


def _disk(config: "InferenceConfig", preset: Preset) -> Finding:
    folder = download_folder(preset, config.models_dir)
    there = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    free, needed = shutil.disk_usage(there).free, preset.disk_bytes
    if free < needed:
        return Finding(
            "disk",
            False,
            f"{config.model} needs {_gb(needed)} in {folder}, and {_gb(free)} are free:"
            " make room, or name another folder with inference.models_dir or HF_HOME",
        )
    return Finding("disk", True, f"{_gb(free)} are free in {folder}, {_gb(needed)} are needed")


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
