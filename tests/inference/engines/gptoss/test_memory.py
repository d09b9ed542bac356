"""What gpt-oss-20b gets of cards of all sizes, from what is free beside its weights."""

import weakref
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from triton.runtime.jit import KernelInterface

from bot.inference.engines.gptoss.chunk import Chunk, Part
from bot.inference.engines.gptoss.config import Config
from bot.inference.engines.gptoss.memory import ROW, plan
from bot.inference.engines.gptoss.model import PAGE, Model
from tests.inference.engines.gptoss.shapes import META, shapes_of
from tests.inference.engines.gptoss.tiny import Tiny

WANTED = 131_072
GB = 10**9


@pytest.fixture(scope="module")
def config(tiny: Tiny) -> Config:
    """With the sizes of gpt-oss-20b that memory depends on."""
    return replace(
        tiny.config,
        hidden_size=2880,
        num_hidden_layers=24,
        num_attention_heads=64,
        num_key_value_heads=8,
        head_dim=64,
    )


@pytest.mark.parametrize(
    ("free", "slots", "chunk", "context"),
    [
        (128 * GB, 32, 8192, WANTED),  # 141 GB, where not all slots have room for a whole context
        (65 * GB, 1, 8192, WANTED),
        (10.5 * GB, 1, 4096, WANTED),  # 24 GB: 8192 would take more than a sixteenth of the cache
        (8 * GB, 1, 4096, WANTED),
        (3 * GB, 1, 2048, 41_792),  # 16 GB: longer ones would take from the context
    ],
)
def test_long_chunks_take_a_little_of_the_cache_and_nothing_of_the_context(
    config: Config, free: float, slots: int, chunk: int, context: int
) -> None:
    made = plan(config, torch.bfloat16, int(free), slots, WANTED, int8=True)
    assert made.chunk == chunk
    assert made.context == context
    assert made.pages > made.context // PAGE


def test_what_is_planned_fits(config: Config) -> None:
    for free in range(GB, 130 * GB, GB):
        for slots in (1, 32):
            made = plan(config, torch.bfloat16, free, slots, WANTED, int8=True)
            assert made.pages * 49_152 * PAGE + made.chunk * ROW < free
            assert made.context <= WANTED


def test_a_card_with_nothing_left_has_no_context(config: Config) -> None:
    assert plan(config, torch.bfloat16, 10**8, 1, WANTED, int8=True).context <= 0


class PeakMemory(TorchDispatchMode):
    """The most `bytes` that the tensors made meanwhile took together."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0
        self._alive = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: Any = (), named: Any = None
    ) -> Any:
        before = [each.untyped_storage() for each in _tensors((arguments, named))]
        made = function(*arguments, **(named or {}))
        for storage in (each.untyped_storage() for each in _tensors(made)):
            if storage not in before:  # not a view
                self._alive += storage.nbytes()
                self.bytes = max(self.bytes, self._alive)
                weakref.finalize(storage, self._freed, storage.nbytes())
        return made

    def _freed(self, count: int) -> None:
        self._alive -= count


def _tensors(values: object) -> list[torch.Tensor]:
    return [each for each in tree_leaves(values) if isinstance(each, torch.Tensor)]


@pytest.mark.parametrize("int8", [False, True])
def test_a_chunk_takes_no_more_than_what_is_kept_free_for_its_tokens(
    config: Config, int8: bool
) -> None:
    rows = 8192
    config = replace(
        config,
        intermediate_size=2880,
        num_hidden_layers=2,
        num_local_experts=8,
        num_experts_per_tok=4,
        windows=config.windows[:2],
    )
    tables = torch.empty(1, 64, dtype=torch.int32, device=META)
    nothing_runs = patch.object(KernelInterface, "__getitem__", lambda kernel, grid: _ignore)
    with nothing_runs, torch.inference_mode():
        model = Model(config, shapes_of(config, int8=int8), context=8192, pages=4)
        with PeakMemory() as peak:
            chunk = Chunk(rows, 1, META).fill([Part([0] * rows, 0, 0)], 0)
            model.prefill(chunk, tables)
    logits = 4 * model.config.vocab_size
    assert 0.8 * ROW < (peak.bytes - logits) / rows < ROW


def _ignore(*arguments: object, **options: object) -> None:
    pass
