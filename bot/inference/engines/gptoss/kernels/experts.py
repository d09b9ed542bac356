"""The experts for many rows: rows grouped by expert, products on the tensor cores.

A program takes some tiles of one expert's lines and some of its rows. Few rows an expert go in
eights, straight from fragments to fragments; many go through shared memory.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.kernels.fragments import (
    decoded,
    fragments_of,
    in_fragments,
    loaded,
    rows_in_fragments,
)
from bot.inference.engines.gptoss.kernels.launch import early, wait_for_inputs
from bot.inference.engines.gptoss.mxfp4 import Mxfp4

ALPHA = tl.constexpr(1.702)
TILES = 4
"""Tiles of lines that a program has, one a warp."""


@triton.jit
def activate(gate, up, unit, bias, column, limit):
    """gpt-oss's clamped SwiGLU of products: gate * sigmoid(1.702 gate) * (up + 1).

    `bias` has those of gate and up in turn; `column` are the outputs' numbers.
    """
    gate = gate * unit + tl.load(bias + 2 * column).to(tl.float32)
    up = up * unit + tl.load(bias + 2 * column + 1).to(tl.float32)
    gate = tl.minimum(gate, limit)
    up = tl.minimum(tl.maximum(up, -limit), limit)
    return gate / (1.0 + tl.exp(gate * -ALPHA)) * (up + 1.0)


@triton.jit
def _rows(x, order, place, end, TOP: tl.constexpr, COLUMNS: tl.constexpr, TILES: tl.constexpr):
    """Where each lane finds its part of the eight rows from `place` on, and if they exist."""
    lane = tl.arange(0, TILES * 32) % 32
    place += lane // 4
    row = tl.load(order + place, mask=place < end, other=0) // TOP
    return x + (row * COLUMNS + lane % 4 * 8)[:, None] + tl.arange(0, 8)[None, :], place < end


@triton.jit
def _narrow(
    x,
    words,
    scales,
    tile,
    order,
    place,
    end,
    TOP: tl.constexpr,
    STEPS: tl.constexpr,
    TILES: tl.constexpr,
    ROWS: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    """Tiles of lines from `tile` on, one a warp, times 16 rows at most: float32 [lines, ROWS]."""
    warp = tl.arange(0, TILES * 32) // 32
    words, scales = fragments_of(words, scales, tile + warp, TILES, STEPS)
    x_1, exists_1 = _rows(x, order, place, end, TOP, STEPS * 64, TILES)
    x_2, exists_2 = _rows(x, order, place + 8, end, TOP, STEPS * 64, TILES)
    acc_1 = tl.zeros([TILES, 16, 8], tl.float32)
    acc_2 = tl.zeros([TILES, 16, 8], tl.float32)
    word, scale = loaded(words, scales, 0, STEPS, AT_ONCE)
    for begin in tl.range(0, STEPS, AT_ONCE, num_stages=1):
        following = loaded(words, scales, begin + AT_ONCE, STEPS, AT_ONCE)
        tl.debug_barrier()  # the compiler would load each one just before its use
        for step in tl.static_range(AT_ONCE):
            weights = decoded(word[step], scale[step], TILES, False).to(x.dtype.element_ty)
            at = (begin + step) * 64
            columns = rows_in_fragments(x_1 + at, exists_1, TILES)
            acc_1 = tl.dot(weights, columns, acc_1, input_precision="ieee")
            if ROWS == 16:
                columns = rows_in_fragments(x_2 + at, exists_2, TILES)
                acc_2 = tl.dot(weights, columns, acc_2, input_precision="ieee")
        word, scale = following
    if ROWS == 16:
        acc_1 = tl.permute(tl.join(acc_1, acc_2), (0, 1, 3, 2))
    return tl.reshape(acc_1, [TILES * 16, ROWS])


@triton.jit
def _wide(
    x,
    words,
    scales,
    tile,
    order,
    place,
    end,
    TOP: tl.constexpr,
    STEPS: tl.constexpr,
    TILES: tl.constexpr,
    ROWS: tl.constexpr,
):
    """The same for many rows, whose columns are in their order."""
    warp = tl.arange(0, TILES * 32) // 32
    words, scales = fragments_of(words, scales, tile + warp, TILES, STEPS)
    place += tl.arange(0, ROWS)
    exists = place < end
    row = tl.load(order + place, mask=exists, other=0) // TOP
    x += (row * (STEPS * 64))[None, :] + tl.arange(0, 64)[:, None]
    acc = tl.zeros([TILES * 16, ROWS], tl.float32)
    for _ in range(STEPS):
        weights = decoded(tl.load(words), tl.load(scales), TILES, True)
        columns = tl.load(x, mask=exists[None, :], other=0.0)
        weights = tl.reshape(weights, [TILES * 16, 64]).to(columns.dtype)
        acc = tl.dot(weights, columns, acc, input_precision="ieee")
        words += 128
        scales += 8
        x += 64
    return acc


@triton.jit
def _product(
    x,
    words,
    scales,
    tile,
    order,
    place,
    end,
    TOP: tl.constexpr,
    STEPS: tl.constexpr,
    TILES: tl.constexpr,
    ROWS: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    """Lines from tile `tile` on, in the order tile, h, g, times rows: float32 [lines, ROWS]."""
    if ROWS > 16:
        acc = _wide(x, words, scales, tile, order, place, end, TOP, STEPS, TILES, ROWS)
    else:
        acc = _narrow(x, words, scales, tile, order, place, end, TOP, STEPS, TILES, ROWS, AT_ONCE)
    return acc


@triton.jit
def _gate_up(
    x,
    words,
    scales,
    unit,
    bias,
    order,
    starts,
    out,
    limit,
    TOP: tl.constexpr,
    STEPS: tl.constexpr,
    LINES: tl.constexpr,
    TILES: tl.constexpr,
    ROWS: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    wait_for_inputs()
    expert = tl.program_id(2)
    start = tl.load(starts + expert) + tl.program_id(0) * ROWS
    end = tl.load(starts + expert + 1)
    if start >= end:
        return
    tile = expert * (LINES // 16) + tl.program_id(1) * TILES
    acc = _product(x, words, scales, tile, order, start, end, TOP, STEPS, TILES, ROWS, AT_ONCE)
    acc = tl.permute(tl.reshape(acc, [TILES, 2, 8, ROWS]), (0, 2, 3, 1))
    gate, up = tl.split(tl.reshape(acc, [TILES * 8, ROWS, 2]))
    column = tl.program_id(1) * (TILES * 8) + tl.arange(0, TILES * 8)
    bias += expert * LINES
    activated = activate(gate, up, unit, bias, column[:, None], limit)
    if ROWS <= 16:
        column = in_fragments(column)
    place = start + tl.arange(0, ROWS)
    choice = tl.load(order + place, mask=place < end, other=0)
    target = out + choice[None, :] * (LINES // 2) + column[:, None]
    tl.store(target, activated.to(out.dtype.element_ty), mask=(place < end)[None, :])


@triton.jit
def _down(
    x,
    words,
    scales,
    unit,
    bias,
    order,
    starts,
    out,
    STEPS: tl.constexpr,
    LINES: tl.constexpr,
    TILES: tl.constexpr,
    ROWS: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    wait_for_inputs()
    expert = tl.program_id(2)
    start = tl.load(starts + expert) + tl.program_id(0) * ROWS
    end = tl.load(starts + expert + 1)
    if start >= end:
        return
    tile = expert * (LINES // 16) + tl.program_id(1) * TILES
    acc = _product(x, words, scales, tile, order, start, end, 1, STEPS, TILES, ROWS, AT_ONCE)
    acc = tl.permute(tl.reshape(acc, [TILES, 2, 8, ROWS]), (0, 2, 1, 3))
    acc = tl.reshape(acc, [TILES * 16, ROWS])
    line = tl.program_id(1) * (TILES * 16) + tl.arange(0, TILES * 16)
    acc = acc * unit + tl.load(bias + expert * LINES + line).to(tl.float32)[:, None]
    place = start + tl.arange(0, ROWS)
    choice = tl.load(order + place, mask=place < end, other=0)
    target = out + choice[None, :] * LINES + line[:, None]
    tl.store(target, acc.to(out.dtype.element_ty), mask=(place < end)[None, :])


def steps_at_once(weights: Mxfp4) -> int:
    """Fragments that a warp loads before it uses the first: the most, up to 9, that come out even.

    Each is 512 bytes, so that some ten warps a multiprocessor keep the memory busy.
    """
    return next(count for count in range(9, 0, -1) if weights.steps % count == 0)


def rows_together(rows: int, top: int, experts: int) -> int:
    """Rows of an expert that a program takes, where `rows` tokens choose `top` experts each."""
    if rows <= 8:
        return 8
    return 16 if rows * top <= 16 * experts else 128


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
    """What each chosen expert makes of each row, [rows * top, size] in x's type.

    `x` and `chosen` are route's, x in fragments if rows_together is at most 16, `groups` group's.
    """
    rows, top = chosen.shape
    order, starts = groups
    experts = len(starts) - 1
    together = rows_together(rows, top, experts)
    places = triton.cdiv(rows, together)
    activated = torch.empty(rows * top, gate_up.rows // 2, dtype=x.dtype, device=x.device)
    _gate_up[(places, gate_up.rows // 16 // TILES, experts)](
        x, gate_up.words, gate_up.scales, gate_up.unit, gate_up_bias, order, starts, activated,
        limit, top, gate_up.steps, gate_up.rows, TILES, together, steps_at_once(gate_up),
        num_warps=TILES, **early(),
    )  # fmt: skip
    out = torch.empty(rows * top, down.rows, dtype=x.dtype, device=x.device)
    _down[(places, down.rows // 16 // TILES, experts)](
        activated, down.words, down.scales, down.unit, down_bias, order, starts, out,
        down.steps, down.rows, TILES, together, steps_at_once(down), num_warps=TILES, **early(),
    )  # fmt: skip
    return out
