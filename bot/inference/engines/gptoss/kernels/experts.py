"""The experts for many rows: rows grouped by expert, products on the tensor cores.

A program takes a tile of one expert's rows and columns. It decodes the MXFP4 weights to float16
(see mxfp4.py) with their block's scale relative to the greatest one of the layer, and multiplies
once by that one at the end. Blocks 2^23 times smaller than the greatest lose their last bits.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.kernels.decode import early_and_late
from bot.inference.engines.gptoss.kernels.route import halves_first
from bot.inference.engines.gptoss.mxfp4 import Mxfp4

ALPHA = tl.constexpr(1.702)


@triton.jit
def swiglu(gate, up, limit):
    """gpt-oss's clamped SwiGLU: gate * sigmoid(1.702 gate) * (up + 1)."""
    gate = tl.minimum(gate, limit)
    up = tl.minimum(tl.maximum(up, -limit), limit)
    return gate / (1.0 + tl.exp(gate * -ALPHA)) * (up + 1.0)


@triton.jit
def _product(
    x,
    codes,
    scales,
    base,
    source,
    exists,
    line,
    COLUMNS: tl.constexpr,
    ROWS: tl.constexpr,
    CHUNK: tl.constexpr,
    TOKENS: tl.constexpr,
):
    """An expert's lines `line` [ROWS] times the rows `source` [TOKENS] of x: [ROWS, TOKENS]."""
    acc = tl.zeros([ROWS, TOKENS], tl.float32)
    half: tl.constexpr = COLUMNS // 2
    byte = tl.arange(0, CHUNK // 2)
    block = tl.arange(0, CHUNK // 32)
    code_at = codes + line[:, None] * half + byte[None, :]
    scale_at = scales + line[:, None] * (COLUMNS // 32) + block[None, :]
    x_at = x + source[None, :] * COLUMNS + byte[:, None]
    for begin in range(0, half, CHUNK // 2):
        inside = begin + byte < half
        code = tl.load(code_at + begin, mask=inside[None, :], other=0)
        power = tl.load(
            scale_at + begin // 16, mask=(begin // 16 + block < half // 16)[None, :], other=0
        )
        # 2^14 makes good for what the float16 of a code is too small by
        power = tl.exp2((power.to(tl.int32) - base + 14).to(tl.float32)).to(tl.float16)
        power = tl.broadcast_to(power[:, :, None], [ROWS, CHUNK // 32, 16])
        power = tl.reshape(power, [ROWS, CHUNK // 2])
        early, late = early_and_late(code)
        early, late = (early * power).to(x.dtype.element_ty), (late * power).to(x.dtype.element_ty)
        mask = inside[:, None] & exists[None, :]
        x_early = tl.load(x_at + begin, mask=mask, other=0.0)
        x_late = tl.load(x_at + begin + half, mask=mask, other=0.0)
        acc = tl.dot(early, x_early, acc, input_precision="ieee")
        acc = tl.dot(late, x_late, acc, input_precision="ieee")
    return acc * tl.exp2((base - 127).to(tl.float32))


@triton.jit
def _gate_up(
    x,
    codes,
    scales,
    base,
    bias,
    order,
    starts,
    out,
    limit,
    TOP: tl.constexpr,
    COLUMNS: tl.constexpr,
    LINES: tl.constexpr,
    ROWS: tl.constexpr,
    CHUNK: tl.constexpr,
    TOKENS: tl.constexpr,
):
    expert = tl.program_id(2)
    start = tl.load(starts + expert) + tl.program_id(0) * TOKENS
    end = tl.load(starts + expert + 1)
    if start >= end:
        return
    place = start + tl.arange(0, TOKENS)
    exists = place < end
    choice = tl.load(order + place, mask=exists, other=0)
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    codes += expert.to(tl.int64) * (LINES * COLUMNS // 2)
    line = row % LINES
    scales += expert * (LINES * COLUMNS // 32)
    acc = _product(
        x, codes, scales, base, choice // TOP, exists, line, COLUMNS, ROWS, CHUNK, TOKENS
    )
    acc += tl.load(bias + expert * LINES + line).to(tl.float32)[:, None]
    gate, up = tl.split(tl.permute(tl.reshape(acc, [ROWS // 2, 2, TOKENS]), (0, 2, 1)))
    column = tl.program_id(1) * (ROWS // 2) + tl.arange(0, ROWS // 2)
    target = choice[None, :] * (LINES // 2) + halves_first(column, LINES // 2)[:, None]
    mask = exists[None, :] & (column < LINES // 2)[:, None]
    tl.store(out + target, swiglu(gate, up, limit).to(out.dtype.element_ty), mask=mask)


@triton.jit
def _down(
    x,
    codes,
    scales,
    base,
    bias,
    order,
    starts,
    out,
    COLUMNS: tl.constexpr,
    LINES: tl.constexpr,
    ROWS: tl.constexpr,
    CHUNK: tl.constexpr,
    TOKENS: tl.constexpr,
):
    expert = tl.program_id(2)
    start = tl.load(starts + expert) + tl.program_id(0) * TOKENS
    end = tl.load(starts + expert + 1)
    if start >= end:
        return
    place = start + tl.arange(0, TOKENS)
    exists = place < end
    choice = tl.load(order + place, mask=exists, other=0)
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    codes += expert.to(tl.int64) * (LINES * COLUMNS // 2)
    line = row % LINES
    scales += expert * (LINES * COLUMNS // 32)
    acc = _product(x, codes, scales, base, choice, exists, line, COLUMNS, ROWS, CHUNK, TOKENS)
    acc += tl.load(bias + expert * LINES + line).to(tl.float32)[:, None]
    mask = exists[None, :] & (row < LINES)[:, None]
    target = choice[None, :] * LINES + row[:, None]
    tl.store(out + target, acc.to(out.dtype.element_ty), mask=mask)


def _tiles(rows: int, top: int, experts: int, columns: int) -> dict[str, int]:
    """Tile sizes for `rows` tokens. Measured on an H200; see docs/benchmarks.md."""
    chunk = min(128, triton.next_power_of_2(columns))
    if rows <= 16:
        return {"ROWS": 64, "CHUNK": chunk, "TOKENS": 16, "num_warps": 4, "num_stages": 3}
    share = rows * top // experts
    if rows <= 32 or share <= 32:
        return {"ROWS": 64, "CHUNK": chunk, "TOKENS": 32, "num_warps": 4, "num_stages": 3}
    return {"ROWS": 128, "CHUNK": chunk, "TOKENS": 128, "num_warps": 8, "num_stages": 3}


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

    `x` and `chosen` are route's, `groups` is group's.
    """
    rows, top = chosen.shape
    order, starts = groups
    experts = len(starts) - 1
    tiles = _tiles(rows, top, experts, x.shape[1])
    places = triton.cdiv(rows, tiles["TOKENS"])
    activated = torch.empty(rows * top, gate_up.rows // 2, dtype=x.dtype, device=x.device)
    _gate_up[(places, triton.cdiv(gate_up.rows, tiles["ROWS"]), experts)](
        x, gate_up.codes, gate_up.scales, gate_up.base, gate_up_bias, order, starts, activated,
        limit, TOP=top, COLUMNS=gate_up.columns, LINES=gate_up.rows, **tiles,
    )  # fmt: skip
    out = torch.empty(rows * top, down.rows, dtype=x.dtype, device=x.device)
    _down[(places, triton.cdiv(down.rows, tiles["ROWS"]), experts)](
        activated, down.codes, down.scales, down.base, down_bias, order, starts, out,
        COLUMNS=down.columns, LINES=down.rows, **tiles,
    )  # fmt: skip
    return out
