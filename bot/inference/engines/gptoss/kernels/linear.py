"""Linear layers for one row, bound by reading the weights: one program has some lines of them.

The RMS norm before a layer costs no pass of its own: its factor is one number a row, found while
the products are added up, and applied to their sum.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.kernels.cache import cache_line
from bot.inference.engines.gptoss.kernels.launch import early, wait_for_inputs
from bot.inference.engines.gptoss.kernels.rotary import rotate
from bot.inference.engines.gptoss.kernels.tuning import tuned

CHOICES = [
    {"LINES": lines, "CHUNK": 1024, "WARPS": warps}
    for lines, warps in ((4, 4), (8, 4), (4, 2), (2, 2), (4, 8))
]
"""Lines that a program has, columns that it reads at once, and its warps."""


def _fitting(choice: dict[str, int], arguments: dict[str, Any]) -> triton.Config:
    """With lines of one head, where there are heads."""
    lines = min(choice["LINES"], arguments.get("HEAD_SIZE", choice["LINES"]))
    return triton.Config({"LINES": lines, "CHUNK": choice["CHUNK"]}, num_warps=choice["WARPS"])


@triton.jit
def _product(
    x,
    norm,
    weight,
    line,
    epsilon,
    NORM: tl.constexpr,
    COLUMNS: tl.constexpr,
    LINES: tl.constexpr,
    CHUNK: tl.constexpr,
):
    """The row x, normed or not, times weight lines `line` [LINES]: float32 [LINES].

    Waits for x, and only for x: all else is on its way by then.
    """
    weights, factors = (), ()
    for begin in tl.static_range(0, COLUMNS, CHUNK):
        column = begin + tl.arange(0, CHUNK)
        inside = column < COLUMNS
        at = weight + line[:, None] * COLUMNS + column[None, :]
        weights += (tl.load(at, mask=inside[None, :], other=0.0),)  # type: ignore[assignment]
        if NORM:
            factors += (tl.load(norm + column, mask=inside, other=0.0),)  # type: ignore[assignment]
    wait_for_inputs()
    tl.debug_barrier()  # the compiler would load each one just before its use
    acc = tl.zeros([LINES, CHUNK], tl.float32)
    squares = tl.zeros([CHUNK], tl.float32)
    for begin in tl.static_range(0, COLUMNS, CHUNK):
        column = begin + tl.arange(0, CHUNK)
        inside = column < COLUMNS
        value = tl.load(x + column, mask=inside, other=0.0).to(tl.float32)
        if NORM:
            squares += value * value
            value *= factors[begin // CHUNK].to(tl.float32)
        acc += value[None, :] * weights[begin // CHUNK].to(tl.float32)
    result = tl.sum(acc, 1)
    if NORM:
        result *= tl.rsqrt(tl.sum(squares) / COLUMNS + epsilon)
    return result


@tuned(CHOICES, _fitting, key=("SIZE", "COLUMNS", "NORM"))
@triton.jit
def _linear(
    x,
    norm,
    weight,
    bias,
    out,
    epsilon,
    SIZE: tl.constexpr,
    NORM: tl.constexpr,
    BIAS: tl.constexpr,
    COLUMNS: tl.constexpr,
    LINES: tl.constexpr,
    CHUNK: tl.constexpr,
):
    row = tl.program_id(0) * LINES + tl.arange(0, LINES)
    line = (row % SIZE).to(tl.int64)
    start = tl.zeros([LINES], tl.float32)
    if BIAS:
        start = tl.load(bias + line).to(tl.float32)
    result = start + _product(x, norm, weight, line, epsilon, NORM, COLUMNS, LINES, CHUNK)
    tl.store(out + row, result, mask=row < SIZE)


def linear(
    x: Tensor,
    weight: Tensor,
    *,
    bias: Tensor | None = None,
    norm: Tensor | None = None,
    epsilon: float = 0.0,
) -> Tensor:
    """x times `weight` [lines, columns], plus `bias`, float32; with `norm`, x is RMS-normed first.

    x is [1, columns], the result [1, lines].
    """
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
    hidden,
    norm,
    weight,
    bias,
    queries,
    keys,
    values,
    cosines,
    sines,
    positions,
    slots,
    tables,
    epsilon,
    TABLE: tl.constexpr,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_SIZE: tl.constexpr,
    PAGE: tl.constexpr,
    COLUMNS: tl.constexpr,
    LINES: tl.constexpr,
    CHUNK: tl.constexpr,
):
    row = tl.program_id(0) * LINES + tl.arange(0, LINES)
    head = tl.program_id(0) * LINES // HEAD_SIZE
    column = tl.program_id(0) * LINES % HEAD_SIZE + 2 * tl.arange(0, LINES // 2)
    start = tl.load(bias + row).to(tl.float32)
    position = tl.load(positions)
    at = position * (HEAD_SIZE // 2) + column // 2
    cosine, sine = tl.load(cosines + at), tl.load(sines + at)
    page = tl.load(tables + tl.load(slots) * TABLE + position // PAGE)
    result = start + _product(hidden, norm, weight, row, epsilon, True, COLUMNS, LINES, CHUNK)
    a, b = tl.split(tl.reshape(result, [LINES // 2, 2]))
    if head < HEADS + KV_HEADS:
        a, b = rotate(a, b, cosine, sine)
    if head < HEADS:
        target = queries + head * HEAD_SIZE + column
    else:
        kv_head = (head - HEADS) % KV_HEADS
        line = cache_line(page, kv_head, position, KV_HEADS, PAGE, HEAD_SIZE)
        target = (keys if head < HEADS + KV_HEADS else values) + line + column
    tl.store(target, a.to(keys.dtype.element_ty))
    tl.store(target + 1, b.to(keys.dtype.element_ty))


def norm_qkv(
    hidden: Tensor,
    norm: Tensor,
    weight: Tensor,
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
    _, _, kv_heads, page, size = cache.shape
    columns = hidden.shape[1]
    queries = torch.empty(1, heads, size, dtype=cache.dtype, device=hidden.device)
    _norm_qkv[lambda blocks: (len(weight) // blocks["LINES"],)](
        hidden, norm, weight, bias, queries, cache[0], cache[1], *rotation, positions, slots,
        tables, epsilon, tables.stride(0), heads, kv_heads, size, page, columns, **early(),
    )  # fmt: skip
    return queries
