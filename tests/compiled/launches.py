"""What the gpt-oss engine launches on a card, found out without one.

The engine runs on torch's meta device, whose tensors have shapes and no numbers. Triton stops where
it would begin to compile, and tells what it would have compiled.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from triton import knobs
from triton.runtime.jit import KernelInterface

from bot.inference.engines.gptoss.chunk import Part
from bot.inference.engines.gptoss.config import Config, read_config
from bot.inference.engines.gptoss.engine import CHUNK, GptOssEngine
from bot.inference.engines.gptoss.graphs import RECORDED, batch_sizes, sizes_up_to
from bot.inference.engines.gptoss.model import Model
from tests.compiled.cards import Capability, card
from tests.inference.engines.gptoss.shapes import shapes_of

SLOTS = (1, 32)
PAGES = 8


@dataclass(frozen=True)
class Launch:
    """A kernel, and Triton's own record of its types, constants and options, in JSON."""

    module: str
    name: str
    specialization: str


@contextmanager
def recorded(capability: Capability) -> Iterator[dict[Launch, None]]:
    """What is launched meanwhile, as if on a card of `capability`; nothing is compiled or run."""
    found: dict[Launch, None] = {}

    def record(*, fn: Any, compile: dict[str, Any], **others: Any) -> bool:
        found[Launch(fn.module, fn.name, compile["specialization_data"])] = None
        return True  # so that Triton leaves it at that

    def launch(kernel: Any, grid: object) -> Callable[..., object]:
        return lambda *arguments, **named: kernel.warmup(*arguments, grid=grid, **named)

    with (
        card(capability),
        patch.object(knobs.runtime, "jit_cache_hook", record),
        patch.object(KernelInterface, "__getitem__", launch),
    ):
        yield found


def launches(capability: Capability, folder: Path) -> list[Launch]:
    """Each of what the engine launches for the model whose config.json is in `folder`, once.

    Where it would time several block sizes first, all of them are among it.
    """
    config = read_config(folder)
    config = replace(config, num_hidden_layers=2, windows=config.windows[:2])  # one of each kind
    with (
        recorded(capability) as found,
        patch.object(Tensor, "tolist", lambda starts: list(range(len(starts)))),  # a row an expert
        torch.inference_mode(),
    ):
        for slots in SLOTS:
            for int8 in (False, True) if capability >= (8, 0) else (False,):
                _run(config, slots, int8)
    return list(found)


def _run(config: Config, slots: int, int8: bool) -> None:
    """Every size of step that the engine has for `slots` slots."""
    model = Model(config, shapes_of(config, int8=int8), config.max_position_embeddings, PAGES)
    engine = GptOssEngine(model, slots)
    for rows in batch_sizes(slots):
        engine._decode.start(list(range(rows)))
        engine._decode.draw(list(range(rows)))
    for rows in (*RECORDED, *sizes_up_to(CHUNK)):
        engine._prefill([Part([0] * rows, 0, 0)], lambda: False)
    if slots > 1:
        two = [Part([0] * 64, 0, slot) for slot in range(2)]
        engine._prefill(two, lambda: False)
