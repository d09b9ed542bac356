"""The experts for many rows on cards where Triton can't use the tensor cores, but cuBLAS can.

One expert's weights after the other become numbers, which cuBLAS multiplies with its rows. That
pays from some hundred rows on, as every weight is written and read once more.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.kernels.experts import ALPHA
from bot.inference.engines.gptoss.kernels.fragments import decoded
from bot.inference.engines.gptoss.kernels.launch import early, wait_for_inputs
from bot.inference.engines.gptoss.mxfp4 import Mxfp4

TILES = 4
"""Of 16 lines that a program decodes."""
TOGETHER = 512
"""Rows of an expert that are multiplied at once, so that what is between takes little memory."""


@triton.jit
def _decode(words_ptr, scales_ptr, out_ptr, STEPS: tl.constexpr, TILES: tl.constexpr):
    """out = the numbers of one expert's fragments, in units of Mxfp4.unit.

    `out` [lines, STEPS * 64]; a program has TILES * 16 lines of 64 columns.
    """
    wait_for_inputs()
    tile, step = tl.program_id(0) * TILES, tl.program_id(1)
    thread = tl.arange(0, TILES * 32)
    fragment = (tile + thread // 32) * STEPS + step
    place = (fragment * 128 + thread % 32 * 4)[:, None] + tl.arange(0, 4)[None, :]
    scales = tl.load(scales_ptr + fragment * 8 + thread % 32 // 4)
    numbers = decoded(tl.load(words_ptr + place), scales, TILES, True)
    numbers = tl.permute(tl.reshape(numbers, [TILES, 2, 8, 64]), (0, 2, 1, 3))  # lines g, h
    line = tile * 16 + tl.arange(0, TILES * 16)
    target_ptr = out_ptr + line[:, None] * (STEPS * 64) + step * 64 + tl.arange(0, 64)[None, :]
    numbers = tl.reshape(numbers, [TILES * 16, 64])
    tl.store(target_ptr, numbers.to(out_ptr.dtype.element_ty))


def _decoded(weights: Mxfp4, expert: int, dtype: torch.dtype) -> Tensor:
    """The expert's [lines, columns], in units of `weights.unit`."""
    shape = (weights.rows, weights.columns)
    out = torch.empty(shape, dtype=dtype, device=weights.words.device)
    _decode[(weights.rows // 16 // TILES, weights.steps)](
        weights.words[expert], weights.scales[expert], out, weights.steps, TILES,
        num_warps=TILES, **early(),
    )  # fmt: skip
    return out


def _product(x: Tensor, numbers: Tensor) -> Tensor:
    """x [rows, columns] times `numbers` [lines, columns]: float32 [rows, lines]."""
    if x.dtype == torch.float32:
        return F.linear(x, numbers)
    return torch.mm(x, numbers.T, out_dtype=torch.float32)


def decoded_experts(
    x: Tensor,
    groups: tuple[Tensor, Tensor],
    gate_up: Mxfp4,
    gate_up_bias: Tensor,
    down: Mxfp4,
    down_bias: Tensor,
    limit: float,
) -> Tensor:
    """What each chosen expert makes of each row, as grouped_experts; waits for the GPU.

    `x` [rows, size] has its columns in order, `groups` are group's.
    """
    order, starts = groups
    top = len(order) // len(x)
    out = torch.empty(len(order), down.rows, dtype=torch.float32, device=x.device)
    for expert, (begin, end) in enumerate(pairwise(starts.tolist())):
        if begin == end:
            continue
        both, back = _decoded(gate_up, expert, x.dtype), _decoded(down, expert, x.dtype)
        for choices in order[begin:end].long().split(TOGETHER):
            product = _product(x[choices // top], both) * gate_up.unit + gate_up_bias[expert]
            gate, up = product[:, ::2].clamp(max=limit), product[:, 1::2].clamp(-limit, limit)
            activated = gate * torch.sigmoid(ALPHA.value * gate) * (up + 1)
            out[choices] = _product(activated.to(x.dtype), back) * down.unit + down_bias[expert]
    return out
