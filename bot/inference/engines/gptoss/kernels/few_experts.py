"""The experts for a few rows: each row's own experts, no grouping, a multiplication a row.

Weights are read at the memory's speed, so that it does not matter that the tensor cores multiply
eight rows at a time of which only one exists.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.kernels.experts import TILES, activate, steps_at_once
from bot.inference.engines.gptoss.kernels.fragments import (
    decoded,
    fragments_of,
    in_fragments,
    loaded,
    rows_in_fragments,
)
from bot.inference.engines.gptoss.kernels.launch import early, wait_for_inputs
from bot.inference.engines.gptoss.mxfp4 import Mxfp4


@triton.jit
def _product(
    x, words, scales, row, tile, TILES: tl.constexpr, STEPS: tl.constexpr, AT_ONCE: tl.constexpr
):
    """The row of x that each warp has times its tile of lines: float32 [TILES, 16], lines h, g.

    `row` and `tile` are those of the warp that lane [TILES * 32] is in.
    """
    lane = tl.arange(0, TILES * 32) % 32
    words, scales = fragments_of(words, scales, tile, TILES, STEPS)
    x += (row * (STEPS * 64) + lane * 8)[:, None] + tl.arange(0, 8)[None, :]
    exists = lane < 4
    acc = tl.zeros([TILES, 16, 8], tl.float32)
    word, scale = loaded(words, scales, 0, STEPS, AT_ONCE)
    wait_for_inputs()
    for begin in tl.range(0, STEPS, AT_ONCE, num_stages=1):
        following = loaded(words, scales, begin + AT_ONCE, STEPS, AT_ONCE)
        tl.debug_barrier()  # the compiler would load each one just before its use
        for step in tl.static_range(AT_ONCE):
            columns = rows_in_fragments(x + (begin + step) * 64, exists, TILES)
            weights = decoded(word[step], scale[step], TILES, False).to(x.dtype.element_ty)
            acc = tl.dot(weights, columns, acc, input_precision="ieee")
        word, scale = following
    return tl.sum(acc, 2)


@triton.jit
def _gate_up(
    x,
    words,
    scales,
    unit,
    bias,
    chosen,
    out,
    limit,
    TOP: tl.constexpr,
    STEPS: tl.constexpr,
    LINES: tl.constexpr,
    TILES: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    wait_for_inputs()
    choice = tl.program_id(1)
    expert = tl.load(chosen + choice)
    warp = tl.arange(0, TILES * 32) // 32
    tile = expert * (LINES // 16) + tl.program_id(0) * TILES + warp
    acc = _product(x, words, scales, choice // TOP + warp * 0, tile, TILES, STEPS, AT_ONCE)
    gate, up = tl.split(tl.permute(tl.reshape(acc, [TILES, 2, 8]), (0, 2, 1)))
    column = tl.program_id(0) * (TILES * 8) + tl.reshape(tl.arange(0, TILES * 8), [TILES, 8])
    bias += expert * LINES
    activated = activate(gate, up, unit, bias, column, limit)
    target = out + choice * (LINES // 2) + in_fragments(column)
    tl.store(target, activated.to(out.dtype.element_ty), mask=column < LINES // 2)


@triton.jit
def _down(
    x,
    words,
    scales,
    unit,
    bias,
    chosen,
    shares,
    hidden,
    TOP: tl.constexpr,
    STEPS: tl.constexpr,
    LINES: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    token = tl.program_id(1)
    choice = token * TOP + tl.arange(0, TOP * 32) // 32  # a warp for each expert
    tile = tl.load(chosen + choice) * (LINES // 16) + tl.program_id(0)
    acc = _product(x, words, scales, choice, tile, TOP, STEPS, AT_ONCE)
    place = tl.arange(0, 16)
    line = tl.program_id(0) * 16 + place % 8 * 2 + place // 8
    choice = token * TOP + tl.arange(0, TOP)
    bias += tl.load(chosen + choice)[:, None] * LINES + line[None, :]
    acc = (acc * unit + tl.load(bias).to(tl.float32)) * tl.load(shares + choice)[:, None]
    at = hidden + token * LINES + line
    tl.store(at, tl.load(at) + tl.sum(acc, 0))


def few_experts(
    hidden: Tensor,
    x: Tensor,
    routes: tuple[Tensor, Tensor],
    gate_up: Mxfp4,
    gate_up_bias: Tensor,
    down: Mxfp4,
    down_bias: Tensor,
    limit: float,
) -> None:
    """Add what each row's experts make of it to `hidden` float32 [rows, size].

    `x` [rows, size] is route's, in fragments; `routes` are its choices and shares.
    """
    chosen, shares = routes
    rows, top = chosen.shape
    activated = torch.empty(rows * top, gate_up.rows // 2, dtype=x.dtype, device=x.device)
    tiles = gate_up.rows // 16
    _gate_up[(tiles // TILES, rows * top)](
        x, gate_up.words, gate_up.scales, gate_up.unit, gate_up_bias, chosen, activated, limit,
        top, gate_up.steps, gate_up.rows, TILES, steps_at_once(gate_up), num_warps=TILES, **early(),
    )  # fmt: skip
    _down[(down.rows // 16, rows)](
        activated, down.words, down.scales, down.unit, down_bias, chosen, shares, hidden,
        top, down.steps, down.rows, steps_at_once(down), num_warps=top, **early(),
    )  # fmt: skip
