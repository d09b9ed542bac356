"""Residual, norm, router and choice of experts."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.kernels.fragments import in_fragments
from bot.inference.engines.gptoss.kernels.launch import early, on_tensor_cores, wait_for_inputs

MANY = 1024
"""Rows from which it is faster to have the router read once for some of them together."""
TOGETHER = {MANY: (16, 256), 4096: (32, 128)}
"""How many, and how many columns at once, from so many rows on."""
LOWEST = tl.constexpr(-3e38)
"""Below all scores; NaN counts as this, so that an expert is chosen all the same."""


@triton.jit
def _places(scores, expert):
    """Each expert's place by its score [rows, experts]; of equal ones the lower number is first."""
    other, own = scores[:, None, :], scores[:, :, None]
    lower = (expert[None, :] < expert[:, None])[None, :, :]
    return tl.sum(((other > own) | ((other == own) & lower)).to(tl.int32), 2)


@triton.jit
def _places_in_turn(scores, expert, TOP: tl.constexpr):
    """As `_places` for the first `TOP`, without comparing each with each; others have `TOP`.

    `scores` and the places are [rows, experts].
    """
    place = tl.full(scores.shape, TOP, tl.int32)
    for i in tl.static_range(TOP):
        left = tl.where(place < i, float("-inf"), scores)
        best = tl.argmax(left, 1, tie_break_left=True)
        place = tl.where(expert[None, :] == best[:, None], i, place)
    return place


@triton.jit
def _share(scores, place, TOP: tl.constexpr):
    """A softmax over the first `TOP` experts: [rows, experts], zero for the others."""
    likelihood = tl.where(place < TOP, tl.exp(scores - tl.max(scores, 1)[:, None]), 0.0)
    return likelihood / tl.sum(likelihood, 1)[:, None]


@triton.jit
def _route(
    hidden_ptr,
    added_ptr,
    norm_ptr,
    router_ptr,
    router_bias_ptr,
    x_ptr,
    chosen_ptr,
    shares_ptr,
    part_squares_ptr,
    part_products_ptr,
    arrived_ptr,
    epsilon,
    HIDDEN: tl.constexpr,
    EXPERTS: tl.constexpr,
    TOP: tl.constexpr,
    PARTS: tl.constexpr,
    PADDED: tl.constexpr,
    SPAN: tl.constexpr,
    BLOCK: tl.constexpr,
    WRITTEN: tl.constexpr,
    IN_FRAGMENTS: tl.constexpr,
):
    """hidden += added; x = norm(hidden); chosen, shares = top(router x + bias) and its softmax.

    `hidden`, `added` and `x` [rows, HIDDEN], `router` [EXPERTS, HIDDEN], `chosen` and `shares`
    [rows, TOP]; a program has SPAN columns of one row, and the row's last program adds up the
    parts: squares [rows, PARTS], products [rows, PARTS, EXPERTS].
    """
    row, part = tl.program_id(0), tl.program_id(1)
    expert = tl.arange(0, EXPERTS)
    expert_bias = tl.load(router_bias_ptr + expert).to(tl.float32)
    squares = tl.zeros([BLOCK], tl.float32)
    products = tl.zeros([EXPERTS, BLOCK], tl.float32)
    for begin in range(0, SPAN, BLOCK):
        column = part * SPAN + begin + tl.arange(0, BLOCK)
        inside = column < HIDDEN
        line = expert[:, None] * HIDDEN + column[None, :]
        towards = tl.load(router_ptr + line, mask=inside[None, :], other=0.0).to(tl.float32)
        weight = tl.load(norm_ptr + column, mask=inside, other=0.0).to(tl.float32)
        wait_for_inputs()
        value = tl.load(hidden_ptr + row * HIDDEN + column, mask=inside, other=0.0)
        value += tl.load(added_ptr + row * HIDDEN + column, mask=inside, other=0.0).to(tl.float32)
        tl.debug_barrier()  # several threads have the same columns: all read before one writes
        tl.store(hidden_ptr + row * HIDDEN + column, value, mask=inside)
        squares += value * value
        products += towards * (value * weight)[None, :]
    square, scores = tl.sum(squares), tl.sum(products, 1)

    if PARTS > 1:
        place = row * PARTS + part
        tl.store(part_squares_ptr + place, square)
        tl.store(part_products_ptr + place * EXPERTS + expert, scores)
        tl.debug_barrier()  # every thread's part is written before this program counts as arrived
        if tl.atomic_add(arrived_ptr + row, 1) != PARTS - 1:
            return
        tl.store(arrived_ptr + row, 0)
        each = tl.arange(0, PADDED)
        place = row * PARTS + each
        exists = each < PARTS
        square = tl.sum(
            tl.load(part_squares_ptr + place, mask=exists, other=0.0, cache_modifier=".cg")
        )
        line = place[:, None] * EXPERTS + expert[None, :]
        parts = tl.load(
            part_products_ptr + line, mask=exists[:, None], other=0.0, cache_modifier=".cg"
        )
        scores = tl.sum(parts, 0)
    else:
        tl.debug_barrier()  # what one thread has added_ptr to hidden_ptr, another one reads below

    factor = tl.rsqrt(square / HIDDEN + epsilon)
    scores = scores * factor + expert_bias
    scores = tl.where(scores > LOWEST, scores, LOWEST)[None, :]
    place = _places(scores, expert)
    share, choice = _share(scores, place, TOP), row * TOP + place
    tl.store(chosen_ptr + choice, expert[None, :], mask=place < TOP)
    tl.store(shares_ptr + choice, share, mask=place < TOP)

    column = tl.arange(0, WRITTEN)
    inside = column < HIDDEN
    value = tl.load(
        hidden_ptr + row * HIDDEN + column, mask=inside, other=0.0, cache_modifier=".cg"
    )
    weight = tl.load(norm_ptr + column, mask=inside, other=0.0).to(tl.float32)
    normed = (value * factor * weight).to(x_ptr.dtype.element_ty)
    if IN_FRAGMENTS:
        column = in_fragments(column)
    tl.store(x_ptr + row * HIDDEN + column, normed, mask=inside)


@triton.jit(do_not_specialize=["COUNT"])
def _route_many(
    hidden_ptr,
    added_ptr,
    norm_ptr,
    router_ptr,
    router_bias_ptr,
    x_ptr,
    chosen_ptr,
    shares_ptr,
    epsilon,
    COUNT,
    HIDDEN: tl.constexpr,
    EXPERTS: tl.constexpr,
    TOP: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """As `_route` for COUNT rows, ROWS of them a program, the product on the tensor cores.

    `hidden`, `added` and `x` are [COUNT, HIDDEN], `chosen` and `shares` [COUNT, TOP].
    """
    wait_for_inputs()
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    exists = (row < COUNT)[:, None]
    expert = tl.arange(0, EXPERTS)
    squares = tl.zeros([ROWS, BLOCK], tl.float32)
    scores = tl.zeros([ROWS, EXPERTS], tl.float32)
    for begin in range(0, HIDDEN, BLOCK):
        column = begin + tl.arange(0, BLOCK)
        inside = column < HIDDEN
        line, here = row[:, None] * HIDDEN + column[None, :], exists & inside[None, :]
        value = tl.load(hidden_ptr + line, mask=here, other=0.0)
        value += tl.load(added_ptr + line, mask=here, other=0.0).to(tl.float32)
        tl.store(hidden_ptr + line, value, mask=here)
        squares += value * value
        value *= tl.load(norm_ptr + column, mask=inside, other=0.0).to(tl.float32)[None, :]
        at = router_ptr + expert[None, :] * HIDDEN + column[:, None]
        towards = tl.load(at, mask=inside[:, None], other=0.0)
        high = value.to(towards.dtype)
        low = (value - high.to(tl.float32)).to(towards.dtype)  # together nearly a float32
        scores = tl.dot(high, towards, scores, input_precision="ieee")
        scores = tl.dot(low, towards, scores, input_precision="ieee")
    factor = tl.rsqrt(tl.sum(squares, 1) / HIDDEN + epsilon)[:, None]
    expert_bias = tl.load(router_bias_ptr + expert).to(tl.float32)
    scores = scores * factor + expert_bias[None, :]
    scores = tl.where(scores > LOWEST, scores, LOWEST)
    place = _places_in_turn(scores, expert, TOP)
    share, choice = _share(scores, place, TOP), row[:, None] * TOP + place
    best = exists & (place < TOP)
    tl.store(chosen_ptr + choice, expert[None, :], mask=best)
    tl.store(shares_ptr + choice, share, mask=best)
    tl.debug_barrier()  # what one thread has added_ptr to hidden_ptr, another one reads below
    for begin in range(0, HIDDEN, BLOCK):
        column = begin + tl.arange(0, BLOCK)
        inside = column < HIDDEN
        line, here = row[:, None] * HIDDEN + column[None, :], exists & inside[None, :]
        weight = tl.load(norm_ptr + column, mask=inside, other=0.0).to(tl.float32)
        normed = tl.load(hidden_ptr + line, mask=here, other=0.0) * factor * weight[None, :]
        tl.store(x_ptr + line, normed.to(x_ptr.dtype.element_ty), mask=here)


class Router:
    """Norm, router and choice of experts; holds what the parts of `rows` rows meet at.

    A row alone would keep one multiprocessor busy with reading the router. So a few rows are split
    among programs, and each row's last one to finish adds up the parts, always in the same order.
    """

    def __init__(self, experts: int, top: int, device: torch.device, rows: int = 64) -> None:
        self._experts = experts
        self._top = top
        self._arrived = torch.zeros(rows, dtype=torch.int32, device=device)

    def __call__(
        self,
        hidden: Tensor,
        added: Tensor,
        norm: Tensor,
        router: Tensor,
        router_bias: Tensor,
        epsilon: float,
        dtype: torch.dtype,
        fragments: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Add `added` to `hidden` in place, and choose each row's experts.

        `hidden` is float32 [rows, size], `added` [rows, size], `router` [experts, size]. Returns
        the RMS-normed rows in `dtype`, their columns in order or in fragments, the experts int32
        [rows, top] and their shares float32 [rows, top], which are a softmax over the chosen ones.
        """
        rows, size = hidden.shape
        experts, top = self._experts, self._top
        split = rows <= len(self._arrived)
        block = min((2048 if split else 16384) // experts, 512, triton.next_power_of_2(size))
        span = block if split else size
        parts = triton.cdiv(size, span)

        def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.empty(*shape, dtype=dtype, device=hidden.device)

        x, chosen = empty(rows, size, dtype=dtype), empty(rows, top, dtype=torch.int32)
        shares = empty(rows, top)
        if rows >= MANY and on_tensor_cores():
            together, block = next(TOGETHER[least] for least in (4096, MANY) if rows >= least)
            _route_many[(triton.cdiv(rows, together),)](
                hidden, added, norm, router, router_bias, x, chosen, shares, epsilon, rows, size,
                experts, top, together, block, num_warps=4, **early(),
            )  # fmt: skip
            return x, chosen, shares
        _route[(rows, parts)](
            hidden, added, norm, router, router_bias, x, chosen, shares, empty(rows, parts),
            empty(rows, parts, experts), self._arrived, epsilon, size, experts, top, parts,
            triton.next_power_of_2(parts), span, block, triton.next_power_of_2(size),
            fragments, num_warps=4 if split else 8, **early(),
        )  # fmt: skip
        return x, chosen, shares
