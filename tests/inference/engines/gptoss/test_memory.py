"""What gpt-oss-20b gets of cards of all sizes, from what is free beside its weights."""

from dataclasses import replace

import pytest
import torch

from bot.inference.engines.gptoss.config import Config
from bot.inference.engines.gptoss.memory import plan
from bot.inference.engines.gptoss.model import PAGE
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
            assert made.pages * 49_152 * PAGE + made.chunk * 120_000 < free
            assert made.context <= WANTED


def test_a_card_with_nothing_left_has_no_context(config: Config) -> None:
    assert plan(config, torch.bfloat16, 10**8, 1, WANTED, int8=True).context <= 0
