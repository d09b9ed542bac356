"""Linear layers for one row, bound by reading the weights: one program has some lines of them.

The RMS norm before a layer costs no pass of its own: its factor is one number a row, found while
the products are added up, and applied to their sum.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.int8 import Int8
from bot.inference.engines.gptoss.kernels.cache import cache_line
from bot.inference.engines.gptoss.kernels.group import combine
from bot.inference.engines.gptoss.kernels.launch import early, wait_for_inputs
from bot.inference.engines.gptoss.kernels.linear_int8 import linear_int8, qkv_int8
from bot.inference.engines.gptoss.kernels.rotary import rotate
from bot.inference.engines.gptoss.kernels.tuning import Blocks, tuned

CHOICES = [
    {"LINES": lines, "CHUNK": 1024, "WARPS": warps}
    for lines, warps in ((4, 4), (8, 4), (4, 2), (2, 2), (4, 8))
]
"""Lines that a program has, columns that it reads at once, and its warps."""


def _fitting(choice: dict[str, int], arguments: dict[str, Any]) -> Blocks:
    """With lines of one head, where there are heads."""
    lines = min(choice["LINES"], arguments.get("HEAD_DIM", choice["LINES"]))
    return Blocks({"LINES": lines, "CHUNK": choice["CHUNK"]}, num_warps=choice["WARPS"])


@triton.jit
def _product(
    x_ptr,
    norm_ptr,
    weight_ptr,
    line,
    epsilon,
    NORM: tl.constexpr,
    COLUMNS: tl.constexpr,
    LINES: tl.constexpr,
    CHUNK: tl.constexpr,
):
    """The row x, normed or not, times the lines `line` [LINES] of the weight: float32 [LINES].

    Waits for x, and only for x: all else is on its way by then.
    """
    weights, factors = (), ()
    for begin in tl.static_range(0, COLUMNS, CHUNK):
        column = begin + tl.arange(0, CHUNK)
        inside = column < COLUMNS
        at = weight_ptr + line[:, None] * COLUMNS + column[None, :]
        weights += (tl.load(at, mask=inside[None, :], other=0.0),)  # type: ignore[assignment]
        if NORM:
            factors += (tl.load(norm_ptr + column, mask=inside, other=0.0),)  # type: ignore[assignment]
    wait_for_inputs()
    tl.debug_barrier()  # the compiler would load each one just before its use
    acc = tl.zeros([LINES, CHUNK], tl.float32)
    squares = tl.zeros([CHUNK], tl.float32)
    for begin in tl.static_range(0, COLUMNS, CHUNK):
        column = begin + tl.arange(0, CHUNK)
        inside = column < COLUMNS
        value = tl.load(x_ptr + column, mask=inside, other=0.0).to(tl.float32)
        if NORM:
            squares += value * value
            value *= factors[begin // CHUNK].to(tl.float32)
        acc += value[None, :] * weights[begin // CHUNK].to(tl.float32)
    result = tl.sum(acc, 1)
    if NORM:
        result *= tl.rsqrt(tl.sum(squares) / COLUMNS + epsilon)
    return result


@tuned(CHOICES, _fitting, key=("OUTPUTS", "COLUMNS", "NORM"))
@triton.jit
def _linear(
    x_ptr,
    norm_ptr,
    weight_ptr,
    bias_ptr,
    out_ptr,
    epsilon,
    OUTPUTS: tl.constexpr,
    NORM: tl.constexpr,
    BIAS: tl.constexpr,
    COLUMNS: tl.constexpr,
    LINES: tl.constexpr,
    CHUNK: tl.constexpr,
):
    """out = W norm(x) + bias, with or without the norm and the bias.

    `weight` [OUTPUTS, COLUMNS], `x` [COLUMNS], `out` [OUTPUTS]; a program has LINES outputs.
    """
    row = tl.program_id(0) * LINES + tl.arange(0, LINES)
    line = (row % OUTPUTS).to(tl.int64)
    start = tl.zeros([LINES], tl.float32)
    if BIAS:
        start = tl.load(bias_ptr + line).to(tl.float32)
    result = start + _product(
        x_ptr, norm_ptr, weight_ptr, line, epsilon, NORM, COLUMNS, LINES, CHUNK
    )
    tl.store(out_ptr + row, result, mask=row < OUTPUTS)


def linear(
    x: Tensor,
    weight: Tensor | Int8,
    *,
    bias: Tensor | None = None,
    norm: Tensor | None = None,
    epsilon: float = 0.0,
) -> Tensor:
    """x times `weight` [lines, columns], plus `bias`, float32; with `norm`, x is RMS-normed first.

    x is [1, columns], the result [1, lines].
    """
    if isinstance(weight, Int8):
        if norm is not None:
            x = combine(x, None, norm, epsilon, torch.float16)
        return linear_int8(x, weight, bias)
    columns = x.shape[1]
    size = len(weight)
    out = torch.empty(1, size, dtype=torch.float32, device=x.device)
    _linear[lambda blocks: (triton.cdiv(size, blocks["LINES"]),)](
        x, norm, weight, bias, out, epsilon, size, norm is not None, bias is not None, columns,
        **early(),
    )  # fmt: skip
    return out


@tuned(CHOICES, _fitting, key=("HEADS", "KV_HEADS", "COLUMNS"))
@triton.jit
def _norm_qkv(
    hidden_ptr,
    norm_ptr,
    weight_ptr,
    bias_ptr,
    queries_ptr,
    keys_ptr,
    values_ptr,
    cosines_ptr,
    sines_ptr,
    positions_ptr,
    slots_ptr,
    tables_ptr,
    epsilon,
    TABLE: tl.constexpr,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    PAGE: tl.constexpr,
    COLUMNS: tl.constexpr,
    LINES: tl.constexpr,
    CHUNK: tl.constexpr,
):
    """W norm(hidden) + bias, with queries and keys rotated as in rotary.py.

    `weight` [(HEADS + 2 KV_HEADS) * HEAD_DIM, COLUMNS], `hidden` [COLUMNS]; a program has LINES
    outputs of one head. They go to `queries` [HEADS, HEAD_DIM] and to their places in the cache.
    """
    row = tl.program_id(0) * LINES + tl.arange(0, LINES)
    head = tl.program_id(0) * LINES // HEAD_DIM
    column = tl.program_id(0) * LINES % HEAD_DIM + 2 * tl.arange(0, LINES // 2)
    start = tl.load(bias_ptr + row).to(tl.float32)
    position = tl.load(positions_ptr)
    at = position * (HEAD_DIM // 2) + column // 2
    cosine, sine = tl.load(cosines_ptr + at), tl.load(sines_ptr + at)
    page = tl.load(tables_ptr + tl.load(slots_ptr) * TABLE + position // PAGE)
    result = start + _product(
        hidden_ptr, norm_ptr, weight_ptr, row, epsilon, True, COLUMNS, LINES, CHUNK
    )
    a, b = tl.split(tl.reshape(result, [LINES // 2, 2]))
    if head < HEADS + KV_HEADS:
        a, b = rotate(a, b, cosine, sine)
    if head < HEADS:
        target_ptr = queries_ptr + head * HEAD_DIM + column
    else:
        kv_head = (head - HEADS) % KV_HEADS
        line = cache_line(page, kv_head, position, KV_HEADS, PAGE, HEAD_DIM)
        target_ptr = (keys_ptr if head < HEADS + KV_HEADS else values_ptr) + line + column
    tl.store(target_ptr, a.to(keys_ptr.dtype.element_ty))
    tl.store(target_ptr + 1, b.to(keys_ptr.dtype.element_ty))


def norm_qkv(
    hidden: Tensor,
    norm: Tensor,
    weight: Tensor | Int8,
    bias: Tensor,
    cache: Tensor,
    rotation: tuple[Tensor, Tensor],
    positions: Tensor,
    slots: Tensor,
    tables: Tensor,
    heads: int,
    epsilon: float,
) -> Tensor:
    """Norm, QKV and rotate_and_store in one: the rotated queries [1, heads, head size].

    `hidden` is float32 [1, size]; see rotate_and_store.
    """
    if isinstance(weight, Int8):
        places = (cache, rotation, positions, slots, tables, heads)
        return qkv_int8(hidden, weight, bias, *places, norm=norm, epsilon=epsilon)
    _, _, kv_heads, page, size = cache.shape
    columns = hidden.shape[1]
    queries = torch.empty(1, heads, size, dtype=cache.dtype, device=hidden.device)
    _norm_qkv[lambda blocks: (len(weight) // blocks["LINES"],)](
        hidden, norm, weight, bias, queries, cache[0], cache[1], *rotation, positions, slots,
        tables, epsilon, tables.stride(0), heads, kv_heads, size, page, columns, **early(),
    )  # fmt: skip
    return queries
