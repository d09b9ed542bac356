"""The experts for a few rows: each row's own experts, no grouping, a multiplication a row.

The tensor cores multiply eight rows at a time, of which only one exists; see row_products.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.kernels.experts import activate, both_biases
from bot.inference.engines.gptoss.kernels.fragments import in_fragments, row_products
from bot.inference.engines.gptoss.kernels.launch import early, wait_for_inputs
from bot.inference.engines.gptoss.kernels.tuning import Blocks, tuned
from bot.inference.engines.gptoss.mxfp4 import Mxfp4

GATE_UP = [
    {"SPLITS": splits, "AT_ONCE": fragments}
    for splits, fragments in ((1, 12), (4, 12), (2, 4), (4, 4), (1, 8))
]
DOWN = [
    {"SPLITS": splits, "AT_ONCE": fragments}
    for splits, fragments in ((1, 24), (4, 4), (1, 12), (2, 12), (1, 16))
]
"""See row_products."""


def _fitting(choice: dict[str, int], arguments: dict[str, Any]) -> Blocks:
    """With no more fragments at once than a warp has, and warps for each of the experts."""
    splits = choice["SPLITS"]
    at_once = min(choice["AT_ONCE"], triton.cdiv(arguments["STEPS"], 4 * splits) * 4)
    experts = arguments["TOP"] if "shares_ptr" in arguments else 1
    return Blocks({"SPLITS": splits, "AT_ONCE": at_once}, num_warps=splits * experts)


@tuned(GATE_UP, _fitting, key=("STEPS", "LINES"))
@triton.jit
def _gate_up(
    x_ptr,
    words_ptr,
    scales_ptr,
    unit,
    bias_ptr,
    chosen_ptr,
    out_ptr,
    limit,
    TOP: tl.constexpr,
    STEPS: tl.constexpr,
    LINES: tl.constexpr,
    SPLITS: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    """out[choice] = SwiGLU(W_chosen x[choice // TOP] + bias_chosen).

    W is [experts, LINES, STEPS * 64] in fragments, `x` [rows, STEPS * 64], `out` [rows * TOP,
    LINES / 2]; a program has 16 lines, which are 8 outputs, of one choice.
    """
    wait_for_inputs()
    choice = tl.program_id(1)
    expert = tl.load(chosen_ptr + choice)
    thread = tl.arange(0, SPLITS * 32)
    row = x_ptr + thread * 0 + choice // TOP * (STEPS * 64)
    tile = thread * 0 + expert * (LINES // 16) + tl.program_id(0)
    column = tl.program_id(0) * 8 + tl.arange(0, 8)
    biases = both_biases(bias_ptr + expert * LINES, column)
    acc = row_products(row, words_ptr, scales_ptr, tile, STEPS, SPLITS, SPLITS, AT_ONCE)
    gate, up = tl.split(tl.permute(tl.reshape(tl.sum(acc, 2), [2, 8]), (1, 0)))
    activated = activate(gate, up, unit, biases, limit)
    target_ptr = out_ptr + choice * (LINES // 2) + in_fragments(column)
    tl.store(target_ptr, activated.to(out_ptr.dtype.element_ty))


@tuned(DOWN, _fitting, key=("STEPS", "LINES", "TOP"), restore=("hidden_ptr",))
@triton.jit
def _down(
    x_ptr,
    words_ptr,
    scales_ptr,
    unit,
    bias_ptr,
    chosen_ptr,
    shares_ptr,
    hidden_ptr,
    TOP: tl.constexpr,
    STEPS: tl.constexpr,
    LINES: tl.constexpr,
    SPLITS: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    """hidden[row] += sum over choices of share * (W_chosen x[choice] + bias_chosen).

    `x` is [rows * TOP, STEPS * 64], `hidden` [rows, LINES]; a program has 16 lines of one row, and
    SPLITS warps for each of its experts.
    """
    token = tl.program_id(1)
    thread = tl.arange(0, TOP * SPLITS * 32)
    choice = token * TOP + thread // (SPLITS * 32)
    tile = tl.load(chosen_ptr + choice) * (LINES // 16) + tl.program_id(0)
    place = tl.arange(0, 16)
    line = tl.program_id(0) * 16 + place % 8 * 2 + place // 8
    each = token * TOP + tl.arange(0, TOP)
    start = tl.load(bias_ptr + tl.load(chosen_ptr + each)[:, None] * LINES + line[None, :])
    share = tl.load(shares_ptr + each)
    at_ptr = hidden_ptr + token * LINES + line
    before = tl.load(at_ptr)
    row = x_ptr + choice * (STEPS * 64)
    acc = row_products(row, words_ptr, scales_ptr, tile, STEPS, TOP * SPLITS, SPLITS, AT_ONCE)
    acc = (tl.sum(acc, 2) * unit + start.to(tl.float32)) * share[:, None]
    tl.store(at_ptr, before + tl.sum(acc, 0))


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
    _gate_up[(gate_up.rows // 16, rows * top)](
        x, gate_up.words, gate_up.scales, gate_up.unit, gate_up_bias, chosen, activated, limit,
        TOP=top, STEPS=gate_up.steps, LINES=gate_up.rows, **early(),
    )  # fmt: skip
    _down[(down.rows // 16, rows)](
        activated, down.words, down.scales, down.unit, down_bias, chosen, shares, hidden,
        TOP=top, STEPS=down.steps, LINES=down.rows, **early(),
    )  # fmt: skip
