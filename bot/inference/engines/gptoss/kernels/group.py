"""Around the experts of many rows: choices sorted by expert before, outputs added up after."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.kernels.launch import early, wait_for_inputs


@triton.jit(do_not_specialize=["COUNT"])
def _group(chosen_ptr, order_ptr, starts_ptr, COUNT, BLOCK: tl.constexpr):
    """order = argsort(chosen), stable; starts[expert] = how many chose an expert before it.

    `chosen` and `order` [COUNT], `starts` [experts + 1]; a program has one expert.
    """
    wait_for_inputs()
    expert = tl.program_id(0)
    index = tl.arange(0, BLOCK)
    before = tl.zeros([BLOCK], tl.int32)
    for begin in range(0, COUNT, BLOCK):
        which = tl.load(chosen_ptr + begin + index, mask=begin + index < COUNT, other=1 << 30)
        before += (which < expert).to(tl.int32)
    place = tl.sum(before)
    tl.store(starts_ptr + expert, place)
    for begin in range(0, COUNT, BLOCK):
        which = tl.load(chosen_ptr + begin + index, mask=begin + index < COUNT, other=1 << 30)
        mine = (which == expert).to(tl.int32)
        tl.store(order_ptr + place + tl.cumsum(mine, 0) - 1, begin + index, mask=mine == 1)
        place += tl.sum(mine)
    if expert == tl.num_programs(0) - 1:
        tl.store(starts_ptr + expert + 1, place)


def group(chosen: Tensor, experts: int) -> tuple[Tensor, Tensor]:
    """Sort choices by expert, stably.

    `chosen` is int32 [rows, top]. Returns `order` int32 [rows * top], the indices into the
    flattened `chosen`, and `starts` int32 [experts + 1], where each expert's part begins in it.
    """
    count = chosen.numel()
    order = torch.empty(count, dtype=torch.int32, device=chosen.device)
    starts = torch.empty(experts + 1, dtype=torch.int32, device=chosen.device)
    block = min(8192, triton.next_power_of_2(count))
    warps = 16 if block > 1024 else 4
    _group[(experts,)](chosen, order, starts, count, block, num_warps=warps, **early())
    return order, starts


@triton.jit
def _combine(
    hidden_ptr,
    outputs_ptr,
    shares_ptr,
    norm_ptr,
    x_ptr,
    epsilon,
    HIDDEN: tl.constexpr,
    TOP: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """hidden += sum over TOP of share * output; x = hidden / sqrt(mean(hidden^2) + epsilon) * norm.

    `hidden` and `x` [rows, HIDDEN], `outputs` [rows * TOP, HIDDEN], `shares` [rows, TOP]; a program
    has one row.
    """
    wait_for_inputs()
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    inside = column < HIDDEN
    value = tl.load(hidden_ptr + row * HIDDEN + column, mask=inside, other=0.0)
    for i in tl.static_range(TOP):
        choice = row * TOP + i
        output = tl.load(outputs_ptr + choice * HIDDEN + column, mask=inside, other=0.0)
        value += tl.load(shares_ptr + choice) * output.to(tl.float32)
    if TOP > 0:
        tl.store(hidden_ptr + row * HIDDEN + column, value, mask=inside)
    factor = tl.rsqrt(tl.sum(value * value) / HIDDEN + epsilon)
    weight = tl.load(norm_ptr + column, mask=inside, other=0.0).to(tl.float32)
    tl.store(
        x_ptr + row * HIDDEN + column,
        (value * factor * weight).to(x_ptr.dtype.element_ty),
        mask=inside,
    )


def combine(
    hidden: Tensor,
    experts: tuple[Tensor, Tensor] | None,
    norm: Tensor,
    epsilon: float,
    dtype: torch.dtype,
) -> Tensor:
    """Add the experts' outputs to `hidden` in place; the RMS-normed rows in `dtype`.

    `experts` are the outputs [rows * top, size] and the shares [rows, top]; None: nothing to add.
    """
    rows, size = hidden.shape
    outputs, shares = experts or (hidden, hidden)
    x = torch.empty(rows, size, dtype=dtype, device=hidden.device)
    top = shares.shape[1] if experts else 0
    _combine[(rows,)](
        hidden, outputs, shares, norm, x, epsilon, size, top, triton.next_power_of_2(size),
        num_warps=8, **early(),
    )  # fmt: skip
    return x
