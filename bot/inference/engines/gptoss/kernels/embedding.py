"""The first kernel of a step: each row's token becomes its hidden state."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.kernels.launch import early, wait_for_inputs


@triton.jit
def _embed(tokens_ptr, embedding_ptr, hidden_ptr, HIDDEN: tl.constexpr, BLOCK: tl.constexpr):
    """hidden[row] = embedding[tokens[row]].

    `tokens` [rows], `embedding` [vocabulary, HIDDEN], `hidden` [rows, HIDDEN]; a program has
    one row.
    """
    wait_for_inputs()
    row = tl.program_id(0)
    token = tl.load(tokens_ptr + row).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    mask = columns < HIDDEN
    values = tl.load(embedding_ptr + token * HIDDEN + columns, mask=mask)
    tl.store(hidden_ptr + row * HIDDEN + columns, values.to(tl.float32), mask=mask)


def embed(tokens: Tensor, embedding: Tensor) -> Tensor:
    """Hidden states float32 [rows, size] of `tokens` int32 [rows]."""
    rows, size = len(tokens), embedding.shape[1]
    hidden = torch.empty(rows, size, dtype=torch.float32, device=embedding.device)
    _embed[(rows,)](tokens, embedding, hidden, size, triton.next_power_of_2(size), **early())
    return hidden


@triton.jit
def _gather_state(
    slots_ptr,
    tokens_ptr,
    positions_ptr,
    out_tokens_ptr,
    out_positions_ptr,
    COUNT,
    BLOCK: tl.constexpr,
):
    """out_tokens[row], out_positions[row] = tokens[slots[row]], positions[slots[row]].

    `slots` and the outputs [COUNT], `tokens` and `positions` [slots]; one program has them all.
    """
    wait_for_inputs()
    index = tl.arange(0, BLOCK)
    mask = index < COUNT
    slots = tl.load(slots_ptr + index, mask=mask, other=0)
    tl.store(out_tokens_ptr + index, tl.load(tokens_ptr + slots, mask=mask), mask=mask)
    tl.store(out_positions_ptr + index, tl.load(positions_ptr + slots, mask=mask), mask=mask)


def gather_state(slots: Tensor, tokens: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """`tokens` and `positions`, both int32 [slots], of the rows' `slots` int32 [rows]."""
    count = len(slots)
    out_tokens, out_positions = torch.empty_like(slots), torch.empty_like(slots)
    _gather_state[(1,)](
        slots,
        tokens,
        positions,
        out_tokens,
        out_positions,
        count,
        triton.next_power_of_2(count),
        **early(),
    )
    return out_tokens, out_positions
