"""The experts for many rows: rows grouped by expert, products on the tensor cores.

A program takes some tiles of one expert's lines and some of its rows. Few rows an expert go in
eights, straight from fragments to fragments; many go through shared memory.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.kernels.fragments import decoded, in_fragments, products
from bot.inference.engines.gptoss.kernels.launch import (
    INTERPRETED,
    early,
    on_tensor_cores,
    wait_for_inputs,
)
from bot.inference.engines.gptoss.mxfp4 import Mxfp4

ALPHA = tl.constexpr(1.702)
SHARED = {"TILES": 1, "SPLITS": 4, "AT_ONCE": 12, "num_warps": 4}
"""Where there are few tiles of lines, four warps share the columns of one."""


@triton.jit
def both_biases(bias_ptr, column):
    """The biases of gate and up of outputs `column` [n]: float32 [n]; `bias` has them in turn."""
    gate = tl.load(bias_ptr + 2 * column).to(tl.float32)
    return gate, tl.load(bias_ptr + 2 * column + 1).to(tl.float32)


@triton.jit
def activate(gate, up, unit, biases, limit):
    """gpt-oss's clamped SwiGLU: gate * sigmoid(1.702 gate) * (up + 1), once scaled and biased.

    `gate`, `up` and both `biases` have one shape, or shapes that broadcast to it.
    """
    gate_bias, up_bias = biases
    gate = tl.minimum(gate * unit + gate_bias, limit)
    up = tl.minimum(tl.maximum(up * unit + up_bias, -limit), limit)
    return gate / (1.0 + tl.exp(gate * -ALPHA)) * (up + 1.0)


@triton.jit
def _narrow(
    x_ptr,
    words_ptr,
    scales_ptr,
    tile,
    order_ptr,
    place,
    end,
    TOP: tl.constexpr,
    STEPS: tl.constexpr,
    TILES: tl.constexpr,
    SPLITS: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    """W x for TILES tiles of lines from `tile` on and up to eight rows: float32 [TILES * 16, 8].

    The rows are those of the choices `order` [choices] from `place` to `end`, choice // TOP of `x`
    [rows, STEPS * 64].
    """
    thread = tl.arange(0, TILES * SPLITS * 32)
    place += thread % 32 // 4
    row = tl.load(order_ptr + place, mask=place < end, other=0) // TOP
    tile += thread // (SPLITS * 32)
    acc = products(
        x_ptr, row, place < end, words_ptr, scales_ptr, tile, STEPS, TILES * SPLITS, SPLITS, AT_ONCE
    )
    return tl.reshape(acc, [TILES * 16, 8])


@triton.jit
def _settled(acc):
    """The same float32 [TILES * 16, ROWS], once it is there.

    Without this, Triton 3.6 decodes the next weights into registers that the tensor cores still
    read.
    """
    if INTERPRETED:
        return acc
    else:  # noqa: RET505 (the compiler wants one return or the other)
        return tl.inline_asm_elementwise(
            "mov.b32 $0, $1;", "=f,f", [acc], dtype=tl.float32, is_pure=True, pack=1
        )


@triton.jit
def _wide(
    x_ptr,
    words_ptr,
    scales_ptr,
    tile,
    order_ptr,
    place,
    end,
    TOP: tl.constexpr,
    STEPS: tl.constexpr,
    TILES: tl.constexpr,
    ROWS: tl.constexpr,
):
    """As `_narrow`, for up to ROWS rows with their columns in order: float32 [TILES * 16, ROWS]."""
    thread = tl.arange(0, TILES * 32)
    fragment = (tile + thread // 32).to(tl.int64) * STEPS
    words_ptr += (fragment * 128 + thread % 32 * 4)[:, None] + tl.arange(0, 4)[None, :]
    scales_ptr += fragment * 8 + thread % 32 // 4
    place += tl.arange(0, ROWS)
    exists = place < end
    row = tl.load(order_ptr + place, mask=exists, other=0) // TOP
    x_ptr += (row * (STEPS * 64))[None, :] + tl.arange(0, 64)[:, None]
    acc = tl.zeros([TILES * 16, ROWS], tl.float32)
    for _ in range(STEPS):
        weights = decoded(tl.load(words_ptr), tl.load(scales_ptr), TILES, True)
        columns = tl.load(x_ptr, mask=exists[None, :], other=0.0)
        weights = tl.reshape(weights, [TILES * 16, 64]).to(columns.dtype)
        acc = _settled(tl.dot(weights, columns, acc, input_precision="ieee"))
        words_ptr += 128
        scales_ptr += 8
        x_ptr += 64
    return acc


@triton.jit
def _product(
    x_ptr,
    words_ptr,
    scales_ptr,
    tile,
    order_ptr,
    place,
    end,
    TOP: tl.constexpr,
    STEPS: tl.constexpr,
    TILES: tl.constexpr,
    ROWS: tl.constexpr,
    SPLITS: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    """`_wide` or `_narrow`: float32 [TILES * 16, ROWS], lines in the order tile, h, g."""
    if ROWS > 8:
        acc = _wide(
            x_ptr, words_ptr, scales_ptr, tile, order_ptr, place, end, TOP, STEPS, TILES, ROWS
        )
    else:
        acc = _narrow(
            x_ptr,
            words_ptr,
            scales_ptr,
            tile,
            order_ptr,
            place,
            end,
            TOP,
            STEPS,
            TILES,
            SPLITS,
            AT_ONCE,
        )
    return acc


@triton.jit
def _block(starts_ptr, block, EXPERTS: tl.constexpr, ROWS: tl.constexpr):
    """Of the experts' choices in blocks of up to ROWS, the block-th one's expert, start and end.

    `starts` [EXPERTS + 1]. Behind the last block, start and end are equal.
    """
    expert = tl.arange(0, EXPERTS)
    count = tl.load(starts_ptr + expert + 1) - tl.load(starts_ptr + expert)
    blocks = tl.cdiv(count, ROWS)
    which = tl.sum((tl.cumsum(blocks, 0) <= block).to(tl.int32), 0)
    before = tl.sum(tl.where(expert < which, blocks, 0), 0)
    start = tl.load(starts_ptr + which) + (block - before) * ROWS
    end = tl.load(starts_ptr + tl.minimum(which + 1, EXPERTS))
    return which, tl.minimum(start, end), end


@triton.jit
def _gate_up(
    x_ptr,
    words_ptr,
    scales_ptr,
    unit,
    bias_ptr,
    order_ptr,
    starts_ptr,
    out_ptr,
    limit,
    TOP: tl.constexpr,
    STEPS: tl.constexpr,
    LINES: tl.constexpr,
    EXPERTS: tl.constexpr,
    TILES: tl.constexpr,
    ROWS: tl.constexpr,
    SPLITS: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    """out[choice] = SwiGLU(W_expert x[choice // TOP] + bias_expert), for each expert's choices.

    W is [experts, LINES, STEPS * 64] in fragments, `x` [rows, STEPS * 64], `out` [rows * TOP,
    LINES / 2]; a program has TILES * 16 lines of one expert and ROWS of its choices.

    """
    wait_for_inputs()
    if ROWS > 8:
        expert, start, end = _block(starts_ptr, tl.program_id(1), EXPERTS, ROWS)
        first_tile = tl.program_id(0) * TILES
    else:
        expert, first_tile = tl.program_id(2), tl.program_id(1) * TILES
        start = tl.load(starts_ptr + expert) + tl.program_id(0) * ROWS
        end = tl.load(starts_ptr + expert + 1)
    if start >= end:
        return
    tile = expert * (LINES // 16) + first_tile
    acc = _product(
        x_ptr,
        words_ptr,
        scales_ptr,
        tile,
        order_ptr,
        start,
        end,
        TOP,
        STEPS,
        TILES,
        ROWS,
        SPLITS,
        AT_ONCE,
    )
    acc = tl.permute(tl.reshape(acc, [TILES, 2, 8, ROWS]), (0, 2, 3, 1))
    gate, up = tl.split(tl.reshape(acc, [TILES * 8, ROWS, 2]))
    column = first_tile * 8 + tl.arange(0, TILES * 8)
    bias_ptr += expert * LINES
    activated = activate(gate, up, unit, both_biases(bias_ptr, column[:, None]), limit)
    if ROWS <= 8:
        column = in_fragments(column)
    place = start + tl.arange(0, ROWS)
    choice = tl.load(order_ptr + place, mask=place < end, other=0)
    target_ptr = out_ptr + choice[None, :] * (LINES // 2) + column[:, None]
    tl.store(target_ptr, activated.to(out_ptr.dtype.element_ty), mask=(place < end)[None, :])


@triton.jit
def _down(
    x_ptr,
    words_ptr,
    scales_ptr,
    unit,
    bias_ptr,
    order_ptr,
    starts_ptr,
    out_ptr,
    STEPS: tl.constexpr,
    LINES: tl.constexpr,
    EXPERTS: tl.constexpr,
    TILES: tl.constexpr,
    ROWS: tl.constexpr,
    SPLITS: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    """out[choice] = W_expert x[choice] + bias_expert, for each expert's choices.

    `x` is [rows * top, STEPS * 64], `out` [rows * top, LINES]; otherwise as _gate_up.
    """
    wait_for_inputs()
    if ROWS > 8:
        expert, start, end = _block(starts_ptr, tl.program_id(1), EXPERTS, ROWS)
        first_tile = tl.program_id(0) * TILES
    else:
        expert, first_tile = tl.program_id(2), tl.program_id(1) * TILES
        start = tl.load(starts_ptr + expert) + tl.program_id(0) * ROWS
        end = tl.load(starts_ptr + expert + 1)
    if start >= end:
        return
    tile = expert * (LINES // 16) + first_tile
    acc = _product(
        x_ptr,
        words_ptr,
        scales_ptr,
        tile,
        order_ptr,
        start,
        end,
        1,
        STEPS,
        TILES,
        ROWS,
        SPLITS,
        AT_ONCE,
    )
    acc = tl.permute(tl.reshape(acc, [TILES, 2, 8, ROWS]), (0, 2, 1, 3))
    acc = tl.reshape(acc, [TILES * 16, ROWS])
    line = first_tile * 16 + tl.arange(0, TILES * 16)
    acc = acc * unit + tl.load(bias_ptr + expert * LINES + line).to(tl.float32)[:, None]
    place = start + tl.arange(0, ROWS)
    choice = tl.load(order_ptr + place, mask=place < end, other=0)
    target_ptr = out_ptr + choice[None, :] * LINES + line[:, None]
    tl.store(target_ptr, acc.to(out_ptr.dtype.element_ty), mask=(place < end)[None, :])


def fitting(shares: dict[str, int], weights: Mxfp4) -> dict[str, int]:
    """`shares` with no more fragments at once than a warp has."""
    most = triton.cdiv(weights.steps, shares["SPLITS"])
    return shares | {"AT_ONCE": min(shares["AT_ONCE"], most)}


def _tiles(together: int, weights: Mxfp4, narrow: dict[str, int]) -> dict[str, int]:
    """How programs go through the weights; see docs/benchmarks.md for what was measured."""
    if together == 8:
        return fitting(narrow, weights)
    tiles = 8 if together == 128 and weights.rows % 128 == 0 else 4
    return {"TILES": tiles, "SPLITS": 1, "AT_ONCE": 1, "num_warps": tiles, "num_stages": 4}


def rows_together(rows: int, top: int, experts: int) -> int:
    """Rows of an expert that a program takes, where `rows` tokens choose `top` experts each."""
    share = rows * top // experts
    if rows <= 32:
        return 8
    return 32 if share <= 16 or not on_tensor_cores() else 64 if share <= 32 else 128


def grouped_experts(
    x: Tensor,
    chosen: Tensor,
    groups: tuple[Tensor, Tensor],
    gate_up: Mxfp4,
    gate_up_bias: Tensor,
    down: Mxfp4,
    down_bias: Tensor,
    limit: float,
) -> Tensor:
    """What each chosen expert makes of each row, float32 [rows * top, size].

    `x` and `chosen` are route's, x in fragments if rows_together is 8, `groups` group's.
    """
    rows, top = chosen.shape
    order, starts = groups
    experts = len(starts) - 1
    together = rows_together(rows, top, experts)
    places = triton.cdiv(rows, together)
    blocks = min(rows * top, triton.cdiv(rows * top, together) + experts)  # at most

    def grid(tiles: int) -> tuple[int, ...]:
        return (tiles, blocks) if together > 8 else (places, tiles, experts)

    activated = torch.empty(rows * top, gate_up.rows // 2, dtype=x.dtype, device=x.device)
    tall = {"TILES": 1 if rows <= 16 else 4, "SPLITS": 1, "AT_ONCE": 9}
    tall["num_warps"] = tall["TILES"]
    tiles = _tiles(together, gate_up, SHARED if rows <= 4 else tall)
    _gate_up[grid(gate_up.rows // 16 // tiles["TILES"])](
        x, gate_up.words, gate_up.scales, gate_up.unit, gate_up_bias, order, starts, activated,
        limit, TOP=top, STEPS=gate_up.steps, LINES=gate_up.rows, EXPERTS=experts, ROWS=together,
        **tiles, **early(),
    )  # fmt: skip
    # Before its share is applied, a channel of the real weights can be more than float16 has.
    out = torch.empty(rows * top, down.rows, dtype=torch.float32, device=x.device)
    tiles = _tiles(together, down, SHARED)
    _down[grid(down.rows // 16 // tiles["TILES"])](
        activated, down.words, down.scales, down.unit, down_bias, order, starts, out,
        STEPS=down.steps, LINES=down.rows, EXPERTS=experts, ROWS=together, **tiles, **early(),
    )  # fmt: skip
    return out
