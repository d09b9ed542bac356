"""The first kernel of a step: each row's token becomes its hidden state."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.kernels.launch import early, wait_for_inputs


@triton.jit
def _embed(tokens, embedding, hidden, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    wait_for_inputs()
    row = tl.program_id(0)
    token = tl.load(tokens + row).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    mask = columns < SIZE
    values = tl.load(embedding + token * SIZE + columns, mask=mask)
    tl.store(hidden + row * SIZE + columns, values.to(tl.float32), mask=mask)


def embed(tokens: Tensor, embedding: Tensor) -> Tensor:
    """Hidden states float32 [rows, size] of `tokens` int32 [rows]."""
    rows, size = len(tokens), embedding.shape[1]
    hidden = torch.empty(rows, size, dtype=torch.float32, device=embedding.device)
    _embed[(rows,)](tokens, embedding, hidden, size, triton.next_power_of_2(size), **early())
    return hidden


@triton.jit
def _gather_state(rows, tokens, positions, out_tokens, out_positions, COUNT, BLOCK: tl.constexpr):
    wait_for_inputs()
    index = tl.arange(0, BLOCK)
    mask = index < COUNT
    slots = tl.load(rows + index, mask=mask, other=0)
    tl.store(out_tokens + index, tl.load(tokens + slots, mask=mask), mask=mask)
    tl.store(out_positions + index, tl.load(positions + slots, mask=mask), mask=mask)


def gather_state(rows: Tensor, tokens: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """`tokens` and `positions`, both int32 [slots], of the slots in `rows` int32 [rows]."""
    count = len(rows)
    out_tokens, out_positions = torch.empty_like(rows), torch.empty_like(rows)
    _gather_state[(1,)](
        rows,
        tokens,
        positions,
        out_tokens,
        out_positions,
        count,
        triton.next_power_of_2(count),
        **early(),
    )
    return out_tokens, out_positions
