"""Linear layers for a few rows, bound by reading the weights: one program has some lines of them.

The RMS norm before a layer costs no pass of its own: its factor is one number a row, found while
the products are added up, and applied to their sum.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.kernels.rotary import rotate


@triton.jit
def _product(
    x,
    norm,
    weight,
    line,
    epsilon,
    NORM: tl.constexpr,
    COLUMNS: tl.constexpr,
    TOKENS: tl.constexpr,
    LINES: tl.constexpr,
    CHUNK: tl.constexpr,
):
    """Rows of x, normed or not, times weight lines `line` [LINES]: float32 [TOKENS, LINES]."""
    token = tl.arange(0, TOKENS)
    acc = tl.zeros([TOKENS, LINES, CHUNK], tl.float32)
    squares = tl.zeros([TOKENS, CHUNK], tl.float32)
    for begin in tl.static_range(0, COLUMNS, CHUNK):
        column = begin + tl.arange(0, CHUNK)
        inside = column < COLUMNS
        w = tl.load(weight + line[:, None] * COLUMNS + column[None, :], mask=inside[None, :])
        value = tl.load(x + token[:, None] * COLUMNS + column[None, :], mask=inside[None, :])
        value = tl.where(inside[None, :], value.to(tl.float32), 0.0)
        w = tl.where(inside[None, :], w.to(tl.float32), 0.0)
        if NORM:
            squares += value * value
            value *= tl.load(norm + column, mask=inside, other=0.0).to(tl.float32)[None, :]
        acc += value[:, None, :] * w[None, :, :]
    result = tl.sum(acc, 2)
    if NORM:
        result *= tl.rsqrt(tl.sum(squares, 1) / COLUMNS + epsilon)[:, None]
    return result


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
    TOKENS: tl.constexpr,
    LINES: tl.constexpr,
    CHUNK: tl.constexpr,
):
    row = tl.program_id(0) * LINES + tl.arange(0, LINES)
    line = (row % SIZE).to(tl.int64)
    result = _product(x, norm, weight, line, epsilon, NORM, COLUMNS, TOKENS, LINES, CHUNK)
    if BIAS:
        result += tl.load(bias + line).to(tl.float32)[None, :]
    token = tl.arange(0, TOKENS)
    mask = (row < SIZE)[None, :]
    tl.store(out + token[:, None] * SIZE + row[None, :], result, mask=mask)


def linear(
    x: Tensor,
    weight: Tensor,
    *,
    bias: Tensor | None = None,
    norm: Tensor | None = None,
    epsilon: float = 0.0,
) -> Tensor:
    """x times `weight` [lines, columns], plus `bias`, float32; with `norm`, x is RMS-normed first.

    x is [rows, columns], with a power of two of rows.
    """
    rows, columns = x.shape
    size = len(weight)
    out = torch.empty(rows, size, dtype=torch.float32, device=x.device)
    lines = HEAD_LINES if size > 65536 else LINES
    _linear[(triton.cdiv(size, lines),)](
        x, norm, weight, bias, out, epsilon, size, norm is not None, bias is not None, columns,
        rows, lines, CHUNK, num_warps=WARPS,
    )  # fmt: skip
    return out


@triton.jit
def _qkv(
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
    TOKENS: tl.constexpr,
    LINES: tl.constexpr,
    CHUNK: tl.constexpr,
):
    row = tl.program_id(0) * LINES + tl.arange(0, LINES)
    result = _product(hidden, norm, weight, row, epsilon, True, COLUMNS, TOKENS, LINES, CHUNK)
    result += tl.load(bias + row).to(tl.float32)[None, :]
    a, b = tl.split(tl.reshape(result, [TOKENS, LINES // 2, 2]))
    head = tl.program_id(0) * LINES // HEAD_SIZE
    column = tl.program_id(0) * LINES % HEAD_SIZE + 2 * tl.arange(0, LINES // 2)
    token = tl.arange(0, TOKENS)
    position = tl.load(positions + token)
    if head < HEADS + KV_HEADS:
        at = position[:, None] * (HEAD_SIZE // 2) + column[None, :] // 2
        a, b = rotate(a, b, tl.load(cosines + at), tl.load(sines + at))
    if head < HEADS:
        target = queries + (token * HEADS + head)[:, None] * HEAD_SIZE + column[None, :]
        tl.store(target, a.to(queries.dtype.element_ty))
        tl.store(target + 1, b.to(queries.dtype.element_ty))
    else:
        page = tl.load(tables + tl.load(slots + token) * TABLE + position // PAGE)
        kv_head = (head - HEADS) % KV_HEADS
        cached = ((page * KV_HEADS + kv_head) * PAGE + position % PAGE) * HEAD_SIZE
        at = cached[:, None] + column[None, :]
        target = (keys if head < HEADS + KV_HEADS else values) + at
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
    """norm, QKV and rotate_and_store in one: the rotated queries [rows, heads, head size].

    `hidden` is float32 [rows, size], with a power of two of rows; see rotate_and_store.
    """
    _, _, kv_heads, page, size = cache.shape
    rows, columns = hidden.shape
    queries = torch.empty(rows, heads, size, dtype=cache.dtype, device=hidden.device)
    lines = min(LINES, size)
    _qkv[(len(weight) // lines,)](
        hidden, norm, weight, bias, queries, cache[0], cache[1], *rotation, positions, slots,
        tables, epsilon, tables.stride(0), heads, kv_heads, size, page, columns, rows, lines,
        CHUNK, num_warps=WARPS,
    )  # fmt: skip
    return queries


LINES, HEAD_LINES, CHUNK, WARPS = 8, 8, 512, 4
