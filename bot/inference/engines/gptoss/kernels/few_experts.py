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
from bot.inference.engines.gptoss.mxfp4 import BLOCK, Mxfp4

GATE_UP_ROWS, DOWN_ROWS = 32, 8
"""Lines of the weights that a program has."""
GATE_UP_STAGES, DOWN_STAGES = 3, 2
"""Steps of a program's loop that are under way at the same time."""
ACTIVATED_SCALE = 512.0
"""SwiGLU's outputs are at most 56 (7 * (7 + 1)), so that they stay below 2^15."""


@triton.jit
def _pairs(four):
    """Of four float16 in 64 bits: the first and third, and the second and fourth, as pairs."""
    low, high = four.to(tl.uint32), (four >> 32).to(tl.uint32)
    return (low & 0xFFFF) | (high << 16), (low >> 16) | (high & 0xFFFF0000)


@triton.jit
def _word_products(word, early, late):
    """The sum of a word's eight products; the inputs are four float16 in 64 bits each."""
    early_02, early_13 = _pairs(early)
    late_02, late_13 = _pairs(late)
    acc = half2.multiply(word & 0x8E008E00, late_13)
    acc = half2.multiply_add((word << 8) & 0x8E008E00, late_02, acc)
    code = ((word >> 3) & 0x0E000E00) | ((word << 7) & 0x80008000)
    acc = half2.multiply_add(code, early_13, acc)
    code = ((word << 5) & 0x0E000E00) | ((word << 15) & 0x80008000)
    acc = half2.multiply_add(code, early_02, acc)
    return half2.total(acc)


@triton.jit
def _product(x, words, scales, COLUMNS: tl.constexpr, BLOCKS: tl.constexpr, STAGES: tl.constexpr):
    """Lines of the weights times rows of x, 2^-14 too small: float32 [lines].

    `words` and `scales` [lines, 1] point at the lines' codes as uint32 and at their scales, `x` at
    the row of each line [lines, 1], or of all [1, 1], float16 in fours as uint64.
    """
    of_line: tl.constexpr = COLUMNS // 32
    acc = tl.zeros([words.shape[0], BLOCKS], tl.float32)
    for begin in tl.range(0, of_line, BLOCKS, num_stages=STAGES):
        at = begin * 4 + tl.arange(0, BLOCKS * 4)[None, :]
        inside = at < of_line * 4
        word = tl.load(words + at, mask=inside, other=0)
        early = tl.load(x + at, mask=inside, other=0)
        late = tl.load(x + COLUMNS // 8 + at, mask=inside, other=0)
        block = begin + tl.arange(0, BLOCKS)[None, :]
        power = tl.load(scales + block, mask=block < of_line, other=0)
        power = (power.to(tl.uint32) << 23).to(tl.float32, bitcast=True)  # 2^(scale - 127)
        products = _word_products(word, early, late)
        acc += tl.sum(tl.reshape(products, [words.shape[0], BLOCKS, 4]), 2) * power
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
    STAGES: tl.constexpr,
):
    choice = tl.program_id(1)
    expert = tl.load(chosen + choice).to(tl.int64)
    line = expert * LINES + (tl.program_id(0) * ROWS + tl.arange(0, ROWS)) % LINES
    source = x + choice // TOP * (COLUMNS // 4) + tl.zeros([1, 1], tl.int32)
    at = line[:, None]
    acc = _product(
        source, words + at * (COLUMNS // 8), scales + at * (COLUMNS // 32), COLUMNS, BLOCKS, STAGES
    )
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
    STAGES: tl.constexpr,
):
    token = tl.program_id(1)
    place = tl.arange(0, TOP * ROWS)  # the lines of all its experts, one after the other
    choice = token * TOP + place // ROWS
    row = tl.program_id(0) * ROWS + place % ROWS
    line = tl.load(chosen + choice).to(tl.int64) * LINES + row % LINES
    source, at = x + choice[:, None] * (COLUMNS // 4), line[:, None]
    acc = _product(
        source, words + at * (COLUMNS // 8), scales + at * (COLUMNS // 32), COLUMNS, BLOCKS, STAGES
    )
    acc = acc * undo + tl.load(bias + line).to(tl.float32)
    acc = tl.sum(tl.reshape(acc * tl.load(shares + choice), [TOP, ROWS]), 0)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    at = hidden + token * LINES + row
    tl.store(at, tl.load(at, mask=row < LINES) + acc, mask=row < LINES)


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
        x.view(torch.uint64),
        gate_up.codes.view(torch.uint32),
        gate_up.scales,
        gate_up_bias,
        chosen,
        activated,
        limit,
        2.0**14 / x_scale,
        ACTIVATED_SCALE,
        top,
        gate_up.columns,
        gate_up.rows,
        GATE_UP_ROWS,
        _blocks(gate_up),
        GATE_UP_STAGES,
        num_warps=4,
    )
    _down[(triton.cdiv(down.rows, DOWN_ROWS), rows)](
        activated.view(torch.uint64),
        down.codes.view(torch.uint32),
        down.scales,
        down_bias,
        chosen,
        shares,
        hidden,
        2.0**14 / ACTIVATED_SCALE,
        top,
        down.columns,
        down.rows,
        DOWN_ROWS,
        _blocks(down),
        DOWN_STAGES,
        num_warps=4,
    )


def _blocks(weights: Mxfp4) -> int:
    """MXFP4 blocks of a line that a program reads at once."""
    return min(16, int(triton.next_power_of_2(weights.columns // BLOCK)))
