"""How what a card has beside the weights is shared out: steps, chunks of prompts, the cache."""

from dataclasses import dataclass

import torch

from bot.inference.engines.gptoss.config import Config
from bot.inference.engines.gptoss.engine import CHUNK, CHUNK_BESIDE
from bot.inference.engines.gptoss.model import PAGE, Model

WORKSPACE = 530 * 2**20
"""Bytes kept free for cuBLAS and the graphs."""
ROW = 120_000
"""Bytes kept free for the activations of each token of a chunk."""
SLOT = 2_500_000
"""Bytes kept free for the logits and masks of each slot."""
CHUNK_SHARE = 1 / 16
"""Of the cache, what a longer chunk may take."""


@dataclass(frozen=True)
class Plan:
    """Tokens that a sequence may have, pages of the cache, and tokens of prompts in one step."""

    context: int
    pages: int
    chunk: int


def plan(
    config: Config, dtype: torch.dtype, free: int, slots: int, wanted: int, *, int8: bool
) -> Plan:
    """What fits into `free` bytes, at most a context of `wanted` tokens.

    The cache has room for a full context in each slot and one more to be reused, or for less if
    the card has less; then the context is what fits. Long chunks read prompts faster, so that they
    may take a little of the cache, but nothing of the context.
    """
    beside = WORKSPACE + slots * SLOT + wanted * config.head_dim * 4  # cosines and sines
    if int8:  # twice: prompts have graphs, or are too long for them
        beside += 2 * _dequantized_bytes(config, dtype)
    pages_of_context = -(-wanted // PAGE) + 1  # one page is for rows that fill up a batch
    pages_wanted = (slots + 1) * (pages_of_context - 1) + 1

    def pages(chunk: int) -> int:
        room = max(0, free - beside - chunk * ROW)
        return min(pages_wanted, room // Model.page_bytes(config, dtype))

    most = pages(CHUNK_BESIDE)
    enough = min(most, max(pages_of_context, int((1 - CHUNK_SHARE) * most)))
    chunk = next(each for each in (CHUNK, CHUNK // 2, CHUNK_BESIDE) if pages(each) >= enough)
    return Plan(min(wanted, (pages(chunk) - 1) * PAGE), pages(chunk), chunk)


def _dequantized_bytes(config: Config, dtype: torch.dtype) -> int:
    """What a layer's attention weights take as numbers of `dtype`."""
    heads = 2 * config.num_attention_heads + 2 * config.num_key_value_heads
    return heads * config.head_dim * config.hidden_size * dtype.itemsize
