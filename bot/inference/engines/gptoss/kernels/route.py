"""Residual, norm, router and choice of experts; then the tokens grouped by expert.

Rows of the experts' inputs are stored with the even columns first: byte i of an MXFP4 row has
columns 2i and 2i + 1, so that a kernel which takes bytes apart reads both halves in order.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def halves_first(column, SIZE: tl.constexpr):
    """Where a row with its even columns first has `column`."""
    return (column % 2) * (SIZE // 2) + column // 2


@triton.jit
def _route(
    hidden,
    added,
    norm,
    router,
    router_bias,
    x,
    chosen,
    shares,
    epsilon,
    scale,
    SIZE: tl.constexpr,
    EXPERTS: tl.constexpr,
    TOP: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0)
    expert = tl.arange(0, EXPERTS)
    squares = tl.zeros([BLOCK], tl.float32)
    products = tl.zeros([EXPERTS, BLOCK], tl.float32)
    for begin in range(0, SIZE, BLOCK):
        column = begin + tl.arange(0, BLOCK)
        inside = column < SIZE
        value = tl.load(hidden + row * SIZE + column, mask=inside, other=0.0)
        value += tl.load(added + row * SIZE + column, mask=inside, other=0.0).to(tl.float32)
        weight = tl.load(norm + column, mask=inside, other=0.0).to(tl.float32)
        line = expert[:, None] * SIZE + column[None, :]
        towards = tl.load(router + line, mask=inside[None, :], other=0.0).to(tl.float32)
        squares += value * value
        products += towards * (value * weight)[None, :]
    factor = tl.rsqrt(tl.sum(squares) / SIZE + epsilon)
    scores = tl.sum(products, 1) * factor + tl.load(router_bias + expert).to(tl.float32)

    greatest = tl.max(scores)
    total = 0.0
    for i in tl.static_range(TOP):
        total += tl.exp(_nth(scores, expert, i)[0] - greatest)
    for i in tl.static_range(TOP):
        score, which = _nth(scores, expert, i)
        tl.store(chosen + row * TOP + i, which)
        tl.store(shares + row * TOP + i, tl.exp(score - greatest) / total)

    for begin in range(0, SIZE, BLOCK):
        column = begin + tl.arange(0, BLOCK)
        inside = column < SIZE
        value = tl.load(hidden + row * SIZE + column, mask=inside, other=0.0)
        value += tl.load(added + row * SIZE + column, mask=inside, other=0.0).to(tl.float32)
        weight = tl.load(norm + column, mask=inside, other=0.0).to(tl.float32)
        tl.store(hidden + row * SIZE + column, value, mask=inside)
        normed = value * factor * weight * scale
        target = x + row * SIZE + halves_first(column, SIZE)
        tl.store(target, normed.to(x.dtype.element_ty), mask=inside)


@triton.jit
def _nth(scores, expert, N: tl.constexpr):
    """The score and number of the expert in place N (0 is best), the lower number first."""
    for _ in tl.static_range(N):
        scores = tl.where(expert == tl.argmax(scores, 0), float("-inf"), scores)
    return tl.max(scores), tl.argmax(scores, 0)


def route(
    hidden: Tensor,
    added: Tensor,
    norm: Tensor,
    router: Tensor,
    router_bias: Tensor,
    epsilon: float,
    top: int,
    dtype: torch.dtype,
    scale: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Add `added` to `hidden` in place, and choose each row's experts.

    `hidden` is float32 [rows, size], `added` [rows, size], `router` [experts, size]. Returns the
    RMS-normed rows times `scale` in `dtype`, their even columns first, the experts int32
    [rows, top] and their shares float32 [rows, top], which are a softmax over the chosen ones.
    """
    rows, size = hidden.shape
    x = torch.empty(rows, size, dtype=dtype, device=hidden.device)
    chosen = torch.empty(rows, top, dtype=torch.int32, device=hidden.device)
    shares = torch.empty(rows, top, dtype=torch.float32, device=hidden.device)
    experts = len(router)
    _route[(rows,)](
        hidden,
        added,
        norm,
        router,
        router_bias,
        x,
        chosen,
        shares,
        epsilon,
        scale,
        size,
        experts,
        top,
        min(16384 // experts, 512, triton.next_power_of_2(size)),
        num_warps=16 if rows <= 132 else 8,
    )
    return x, chosen, shares


@triton.jit(do_not_specialize=["COUNT"])
def _group(chosen, order, starts, COUNT, BLOCK: tl.constexpr):
    expert = tl.program_id(0)
    index = tl.arange(0, BLOCK)
    before = tl.zeros([BLOCK], tl.int32)
    for begin in range(0, COUNT, BLOCK):
        which = tl.load(chosen + begin + index, mask=begin + index < COUNT, other=1 << 30)
        before += (which < expert).to(tl.int32)
    place = tl.sum(before)
    tl.store(starts + expert, place)
    for begin in range(0, COUNT, BLOCK):
        which = tl.load(chosen + begin + index, mask=begin + index < COUNT, other=1 << 30)
        mine = (which == expert).to(tl.int32)
        tl.store(order + place + tl.cumsum(mine, 0) - 1, begin + index, mask=mine == 1)
        place += tl.sum(mine)
    if expert == tl.num_programs(0) - 1:
        tl.store(starts + expert + 1, place)


def group(chosen: Tensor, experts: int) -> tuple[Tensor, Tensor]:
    """Sort choices by expert, stably.

    `chosen` is int32 [rows, top]. Returns `order` int32 [rows * top], the indices into the
    flattened `chosen`, and `starts` int32 [experts + 1], where each expert's part begins in it.
    """
    count = chosen.numel()
    order = torch.empty(count, dtype=torch.int32, device=chosen.device)
    starts = torch.empty(experts + 1, dtype=torch.int32, device=chosen.device)
    block = min(1024, triton.next_power_of_2(count))
    _group[(experts,)](chosen, order, starts, count, block)
    return order, starts


@triton.jit
def _combine(
    hidden,
    outputs,
    shares,
    norm,
    x,
    epsilon,
    SIZE: tl.constexpr,
    TOP: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    inside = column < SIZE
    value = tl.load(hidden + row * SIZE + column, mask=inside, other=0.0)
    for i in tl.static_range(TOP):
        choice = row * TOP + i
        output = tl.load(outputs + choice * SIZE + column, mask=inside, other=0.0)
        value += tl.load(shares + choice) * output.to(tl.float32)
    if TOP > 0:
        tl.store(hidden + row * SIZE + column, value, mask=inside)
    factor = tl.rsqrt(tl.sum(value * value) / SIZE + epsilon)
    weight = tl.load(norm + column, mask=inside, other=0.0).to(tl.float32)
    tl.store(x + row * SIZE + column, (value * factor * weight).to(x.dtype.element_ty), mask=inside)


def combine(
    hidden: Tensor, experts: tuple[Tensor, Tensor] | None, norm: Tensor, epsilon: float
) -> Tensor:
    """Add the experts' outputs to `hidden` in place; the RMS-normed rows in `norm`'s type.

    `experts` are the outputs [rows * top, size] and the shares [rows, top]; None: nothing to add.
    """
    rows, size = hidden.shape
    outputs, shares = experts or (hidden, hidden)
    x = torch.empty(rows, size, dtype=norm.dtype, device=hidden.device)
    top = shares.shape[1] if experts else 0
    _combine[(rows,)](
        hidden, outputs, shares, norm, x, epsilon, size, top, triton.next_power_of_2(size),
        num_warps=8,
    )  # fmt: skip
    return x
