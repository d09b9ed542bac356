"""The experts for a few rows: each row's own experts, no grouping, no tensor cores.

A word of the weights has eight numbers. Four masks and shifts make four pairs of float16 of it
(see mxfp4.py), each multiplied with the fitting pair of inputs and added up in float16 within the
word, in float32 beyond. Inputs come multiplied by a power of two, since the numbers' float16 are
2^14 times too small; that keeps the products well inside float16's range.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.kernels import half2
from bot.inference.engines.gptoss.kernels.experts import swiglu
from bot.inference.engines.gptoss.kernels.route import halves_first
from bot.inference.engines.gptoss.mxfp4 import Mxfp4

ACTIVATED_SCALE = 512.0
"""SwiGLU's outputs are at most 56 (7 * (7 + 1)), so that they stay below 2^15."""


@triton.jit
def _word_products(word, early_low, early_high, late_low, late_high):
    """The sum of a word's eight products; the inputs are pairs in the order of columns."""
    # bytes 0 and 2, then 1 and 3, of both halves of the inputs
    early_02 = (early_low & 0xFFFF) | (early_high << 16)
    early_13 = (early_low >> 16) | (early_high & 0xFFFF0000)
    late_02 = (late_low & 0xFFFF) | (late_high << 16)
    late_13 = (late_low >> 16) | (late_high & 0xFFFF0000)
    acc = half2.multiply(word & 0x8E008E00, late_13)
    acc = half2.multiply_add((word << 8) & 0x8E008E00, late_02, acc)
    early = ((word >> 3) & 0x0E000E00) | ((word << 7) & 0x80008000)
    acc = half2.multiply_add(early, early_13, acc)
    early = ((word << 5) & 0x0E000E00) | ((word << 15) & 0x80008000)
    acc = half2.multiply_add(early, early_02, acc)
    return half2.total(acc)


@triton.jit
def _product(
    x,
    words,
    scales,
    line,
    COLUMNS: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """Weight lines `line` [ROWS] times the row at x, 2^-14 too small: float32 [ROWS].

    `words` are the codes as uint32, `x` pairs of float16 as uint32.
    """
    acc = tl.zeros([ROWS, BLOCKS], tl.float32)
    of_row: tl.constexpr = COLUMNS // 32
    four = tl.arange(0, 4)
    for begin in tl.static_range(0, of_row, BLOCKS):
        block = begin + tl.arange(0, BLOCKS)
        inside = block < of_row
        at = block[None, :, None] * 4 + four[None, None, :]
        mask = inside[None, :, None]
        word = tl.load(words + line[:, None, None] * (4 * of_row) + at, mask=mask, other=0)
        power = tl.load(
            scales + line[:, None] * of_row + block[None, :], mask=inside[None, :], other=0
        )
        half: tl.constexpr = COLUMNS // 4
        products = _word_products(
            word,
            tl.load(x + 2 * at, mask=mask, other=0),
            tl.load(x + 2 * at + 1, mask=mask, other=0),
            tl.load(x + half + 2 * at, mask=mask, other=0),
            tl.load(x + half + 2 * at + 1, mask=mask, other=0),
        )
        power = (power.to(tl.uint32) << 23).to(tl.float32, bitcast=True)  # 2^(scale - 127)
        acc += tl.sum(products, 2) * power
    return tl.sum(acc, 1)


@triton.jit
def _gate_up(
    x,
    words,
    scales,
    bias,
    chosen,
    out,
    limit,
    undo,
    out_scale,
    TOP: tl.constexpr,
    COLUMNS: tl.constexpr,
    LINES: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    choice = tl.program_id(1)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    exists = row < LINES
    line = tl.load(chosen + choice).to(tl.int64) * LINES + row % LINES
    source = x + choice // TOP * (COLUMNS // 2)
    acc = _product(source, words, scales, line, COLUMNS, ROWS, BLOCKS)
    acc = acc * undo + tl.load(bias + line).to(tl.float32)
    gate, up = tl.split(tl.reshape(acc, [ROWS // 2, 2]))
    column = tl.program_id(0) * (ROWS // 2) + tl.arange(0, ROWS // 2)
    target = out + choice * (LINES // 2) + halves_first(column, LINES // 2)
    activated = swiglu(gate, up, limit) * out_scale
    tl.store(target, activated.to(out.dtype.element_ty), mask=column < LINES // 2)


@triton.jit
def _down(
    x,
    words,
    scales,
    bias,
    chosen,
    shares,
    hidden,
    undo,
    TOP: tl.constexpr,
    COLUMNS: tl.constexpr,
    LINES: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    token = tl.program_id(1)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    exists = row < LINES
    acc = tl.load(hidden + token * LINES + row, mask=exists, other=0.0)
    for i in range(TOP):
        choice = token * TOP + i
        line = tl.load(chosen + choice).to(tl.int64) * LINES + row % LINES
        source = x + choice * (COLUMNS // 2)
        output = _product(source, words, scales, line, COLUMNS, ROWS, BLOCKS)
        output = output * undo + tl.load(bias + line).to(tl.float32)
        acc += tl.load(shares + choice) * output
    tl.store(hidden + token * LINES + row, acc, mask=exists)


def few_experts(
    hidden: Tensor,
    x: Tensor,
    x_scale: float,
    routes: tuple[Tensor, Tensor],
    gate_up: Mxfp4,
    gate_up_bias: Tensor,
    down: Mxfp4,
    down_bias: Tensor,
    limit: float,
) -> None:
    """Add what each row's experts make of it to `hidden` float32 [rows, size].

    `x` float16 [rows, size] is route's, multiplied by `x_scale`; `routes` are its choices and
    shares.
    """
    chosen, shares = routes
    rows, top = chosen.shape
    activated = torch.empty(rows * top, gate_up.rows // 2, dtype=torch.float16, device=x.device)
    _gate_up[(triton.cdiv(gate_up.rows, GATE_UP_ROWS), rows * top)](
        x.view(torch.uint32), gate_up.codes.view(torch.uint32), gate_up.scales, gate_up_bias, chosen,
        activated, limit, 2.0**14 / x_scale, ACTIVATED_SCALE, top, gate_up.columns, gate_up.rows,
        GATE_UP_ROWS, BLOCKS, num_warps=4,
    )  # fmt: skip
    _down[(triton.cdiv(down.rows, DOWN_ROWS), rows)](
        activated.view(torch.uint32), down.codes.view(torch.uint32), down.scales, down_bias, chosen,
        shares, hidden, 2.0**14 / ACTIVATED_SCALE, top, down.columns, down.rows,
        DOWN_ROWS, BLOCKS, num_warps=4,
    )  # fmt: skip


GATE_UP_ROWS, DOWN_ROWS, BLOCKS = 32, 8, 16
