"""Linear layers with weights of eight bits, for one row and for a few, bound by reading them.

Programs load their weights before they wait for the rows. One row is RMS-normed here, as a pass of
its own would take longer; several come normed.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.int8 import Int8
from bot.inference.engines.gptoss.kernels.cache import cache_line
from bot.inference.engines.gptoss.kernels.eight_bits import products, row_products, scaled_lines
from bot.inference.engines.gptoss.kernels.launch import early, wait_for_inputs
from bot.inference.engines.gptoss.kernels.rotary import rotate

MOST = 32
"""Rows up to which these are faster than dequantized weights."""
WARPS, QKV_WARPS = 8, 4
"""That share the columns of a row; see docs/benchmarks.md for what was measured."""


@triton.jit
def _linear_row(
    x_ptr,
    words_ptr,
    scales_ptr,
    unit,
    bias_ptr,
    out_ptr,
    BIAS: tl.constexpr,
    BLOCKS: tl.constexpr,
    WARPS: tl.constexpr,
):
    """out = W x + bias for one row; a program has 16 lines.

    W is [lines, BLOCKS * 32] in fragments of eight bits, `x` [BLOCKS * 32], `bias` [lines], `out`
    [lines].
    """
    tile = tl.program_id(0)
    place = tl.arange(0, 16)
    line = tile * 16 + place % 8 * 2 + place // 8
    start = tl.zeros([16], tl.float32)
    if BIAS:
        start = tl.load(bias_ptr + line).to(tl.float32)
    result = row_products(x_ptr, x_ptr, words_ptr, scales_ptr, tile, 0.0, False, BLOCKS, WARPS)
    tl.store(out_ptr + line, start + result * unit)


@triton.jit
def _linear_rows(
    x_ptr,
    words_ptr,
    scales_ptr,
    unit,
    bias_ptr,
    out_ptr,
    COUNT,
    LINES: tl.constexpr,
    BIAS: tl.constexpr,
    BLOCKS: tl.constexpr,
    SPLITS: tl.constexpr,
    AT_ONCE: tl.constexpr,
    GROUPS: tl.constexpr,
):
    """out = W x + bias for COUNT rows; a program has 16 lines and GROUPS * 8 rows.

    W is [LINES, BLOCKS * 32] in fragments of eight bits, `x` [COUNT, BLOCKS * 32], `bias` [LINES],
    `out` [COUNT, LINES].
    """
    tile, first_row = tl.program_id(0), tl.program_id(1) * GROUPS * 8
    place = tl.arange(0, 16)
    line = tile * 16 + place % 8 * 2 + place // 8
    start = tl.zeros([16], tl.float32)
    if BIAS:
        start = tl.load(bias_ptr + line).to(tl.float32)
    acc = products(
        x_ptr, first_row, COUNT, words_ptr, scales_ptr, tile, BLOCKS, SPLITS, AT_ONCE, GROUPS
    )
    row = first_row + tl.arange(0, 8 * GROUPS)[None, :]
    result = acc * unit + start[:, None]
    tl.store(out_ptr + row * LINES + line[:, None], result, mask=row < COUNT)


def linear_int8(x: Tensor, weight: Int8, bias: Tensor | None = None) -> Tensor:
    """x times `weight`, plus `bias`: float32 [rows, lines]; x is [rows, columns]."""
    rows, lines = len(x), weight.lines
    out = torch.empty(rows, lines, dtype=torch.float32, device=x.device)
    parts = (x, weight.words, weight.scales, weight.unit, bias, out)
    if rows == 1:
        _linear_row[(lines // 16,)](
            *parts, bias is not None, weight.blocks, WARPS, num_warps=WARPS, **early()
        )  # fmt: skip
        return out
    shares = _shares(rows, weight)
    grid = (lines // 16, triton.cdiv(rows, 8 * shares["GROUPS"]))
    _linear_rows[grid](*parts, rows, lines, bias is not None, weight.blocks, **shares, **early())
    return out


@triton.jit
def _store_heads(
    a,
    b,
    pair,
    row,
    position,
    page,
    angle,
    exists,
    queries_ptr,
    keys_ptr,
    values_ptr,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    PAGE: tl.constexpr,
):
    """Lines 2 `pair` and 2 `pair` + 1 of rows, a and b, rotated and stored as in rotary.py.

    `angle` has cosines and sines. All are [pairs, rows], or one of the two is 1.
    """
    head, column = 2 * pair // HEAD_DIM, 2 * pair % HEAD_DIM
    cosine, sine = angle
    turned_a, turned_b = rotate(a, b, cosine, sine)
    turns = head < HEADS + KV_HEADS
    a, b = tl.where(turns, turned_a, a), tl.where(turns, turned_b, b)
    both = tl.join(a, b).to(keys_ptr.dtype.element_ty)  # beside each other in memory
    half = tl.arange(0, 2)[None, None, :]
    is_query = exists & (head < HEADS)
    query = ((row * HEADS + head) * HEAD_DIM + column)[:, :, None] + half
    tl.store(queries_ptr + query, both, mask=is_query[:, :, None])
    line = cache_line(page, (head - HEADS) % KV_HEADS, position, KV_HEADS, PAGE, HEAD_DIM)
    line = (line + column)[:, :, None] + half
    is_key = exists & (head >= HEADS) & (head < HEADS + KV_HEADS)
    tl.store(keys_ptr + line, both, mask=is_key[:, :, None])
    is_value = exists & (head >= HEADS + KV_HEADS)
    tl.store(values_ptr + line, both, mask=is_value[:, :, None])


@triton.jit
def _qkv_row(
    hidden_ptr,
    norm_ptr,
    words_ptr,
    scales_ptr,
    unit,
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
    BLOCKS: tl.constexpr,
    WARPS: tl.constexpr,
):
    """W norm(hidden) + bias for one row, rotated and stored; a program has 16 lines of one head.

    W is [(HEADS + 2 KV_HEADS) * HEAD_DIM, BLOCKS * 32] in fragments of eight bits, `hidden`
    [BLOCKS * 32], `queries` [HEADS, HEAD_DIM]; keys and values go to the cache, see cache_line.
    """
    tile = tl.program_id(0)
    pair = (tile * 8 + tl.arange(0, 8))[:, None]
    start_a = tl.load(bias_ptr + 2 * pair).to(tl.float32)
    start_b = tl.load(bias_ptr + 2 * pair + 1).to(tl.float32)
    position = tl.load(positions_ptr)
    at = position * (HEAD_DIM // 2) + pair % (HEAD_DIM // 2)
    angle = tl.load(cosines_ptr + at), tl.load(sines_ptr + at)
    page = tl.load(tables_ptr + tl.load(slots_ptr) * TABLE + position // PAGE)
    result = row_products(
        hidden_ptr, norm_ptr, words_ptr, scales_ptr, tile, epsilon, True, BLOCKS, WARPS
    )
    a, b = tl.split(tl.permute(tl.reshape(result * unit, [2, 8]), (1, 0)))
    _store_heads(
        a[:, None] + start_a, b[:, None] + start_b, pair, pair * 0, position, page, angle,
        pair >= 0, queries_ptr, keys_ptr, values_ptr, HEADS, KV_HEADS, HEAD_DIM, PAGE,
    )  # fmt: skip


@triton.jit
def _qkv_rows(
    x_ptr,
    words_ptr,
    scales_ptr,
    unit,
    bias_ptr,
    queries_ptr,
    keys_ptr,
    values_ptr,
    cosines_ptr,
    sines_ptr,
    positions_ptr,
    slots_ptr,
    tables_ptr,
    COUNT,
    TABLE: tl.constexpr,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    PAGE: tl.constexpr,
    BLOCKS: tl.constexpr,
    SPLITS: tl.constexpr,
    AT_ONCE: tl.constexpr,
    GROUPS: tl.constexpr,
):
    """W x + bias for COUNT rows, rotated and stored; a program as in _linear_rows.

    `x` is [COUNT, BLOCKS * 32], `queries` [COUNT, HEADS, HEAD_DIM]; otherwise as _qkv_row.
    """
    tile, first_row = tl.program_id(0), tl.program_id(1) * GROUPS * 8
    pair = (tile * 8 + tl.arange(0, 8))[:, None]
    start_a = tl.load(bias_ptr + 2 * pair).to(tl.float32)
    start_b = tl.load(bias_ptr + 2 * pair + 1).to(tl.float32)
    row = (first_row + tl.arange(0, 8 * GROUPS))[None, :]
    exists = row < COUNT
    position = tl.load(positions_ptr + row, mask=exists, other=0)
    slot = tl.load(slots_ptr + row, mask=exists, other=0)
    page = tl.load(tables_ptr + slot * TABLE + position // PAGE, mask=exists, other=0)
    acc = products(
        x_ptr, first_row, COUNT, words_ptr, scales_ptr, tile, BLOCKS, SPLITS, AT_ONCE, GROUPS
    )
    at = position * (HEAD_DIM // 2) + pair % (HEAD_DIM // 2)
    angle = tl.load(cosines_ptr + at), tl.load(sines_ptr + at)
    acc = tl.reshape(acc * unit, [2, 8, 8 * GROUPS])
    a, b = tl.split(tl.permute(acc, (1, 2, 0)))
    _store_heads(
        a + start_a, b + start_b, pair, row, position, page, angle, exists & (pair >= 0),
        queries_ptr, keys_ptr, values_ptr, HEADS, KV_HEADS, HEAD_DIM, PAGE,
    )  # fmt: skip


def qkv_int8(
    x: Tensor,
    weight: Int8,
    bias: Tensor,
    cache: Tensor,
    rotation: tuple[Tensor, Tensor],
    positions: Tensor,
    slots: Tensor,
    tables: Tensor,
    heads: int,
    *,
    norm: Tensor | None = None,
    epsilon: float = 0.0,
) -> Tensor:
    """QKV and rotate_and_store in one: the rotated queries [rows, heads, head size].

    `x` is [rows, size]; with `norm` it is one row, float32, and RMS-normed first. See
    rotate_and_store.
    """
    _, _, kv_heads, page, size = cache.shape
    rows = len(x)
    queries = torch.empty(rows, heads, size, dtype=cache.dtype, device=x.device)
    parts = (weight.words, weight.scales, weight.unit, bias, queries, cache[0], cache[1])
    places = (*rotation, positions, slots, tables)
    sizes = (tables.stride(0), heads, kv_heads, size, page, weight.blocks)
    if norm is not None:
        _qkv_row[(weight.lines // 16,)](
            x, norm, *parts, *places, epsilon, *sizes, QKV_WARPS, num_warps=QKV_WARPS, **early()
        )
        return queries
    shares = _shares(rows, weight)
    grid = (weight.lines // 16, triton.cdiv(rows, 8 * shares["GROUPS"]))
    _qkv_rows[grid](x, *parts, *places, rows, *sizes, **shares, **early())
    return queries


def _shares(rows: int, weight: Int8) -> dict[str, int]:
    """How warps share the columns of a tile; see docs/benchmarks.md for what was measured."""
    splits = 4 if weight.blocks <= 96 or rows > 16 else 8
    at_once = triton.cdiv(weight.blocks, splits)
    if rows > 8 and at_once > 16:
        at_once = 12
    groups = 1 if rows <= 8 else 2 if rows <= 16 else 4
    return {"SPLITS": splits, "AT_ONCE": at_once, "GROUPS": groups, "num_warps": splits}


@triton.jit
def _dequantize(words_ptr, scales_ptr, unit, out_ptr, BLOCKS: tl.constexpr, TILES: tl.constexpr):
    """out = the weights [lines, BLOCKS * 32]; a program has one block of TILES * 16 lines."""
    wait_for_inputs()
    block = tl.program_id(0)
    thread = tl.arange(0, TILES * 32)
    lane = thread % 32
    tile = tl.program_id(1) * TILES + thread // 32
    fragment = tile.to(tl.int64) * BLOCKS + block
    words = tl.load(words_ptr + (fragment * 128 + lane * 4)[:, None] + tl.arange(0, 4)[None, :])
    two = tl.arange(0, 2)[None, :]
    scales = tl.load(scales_ptr + (fragment * 16 + lane // 4 * 2)[:, None] + two)
    weights = scaled_lines(words, scales, TILES).to(tl.float32) * unit
    line = ((tile * 16 + lane // 4 * 2)[:, None] + two).to(tl.int64)
    at = line * (BLOCKS * 32) + (block * 32 + lane % 4 * 8)[:, None]
    at = at[:, :, None] + tl.arange(0, 8)[None, None, :]
    tl.store(out_ptr + at, weights.to(out_ptr.dtype.element_ty))


def dequantize(weight: Int8, dtype: torch.dtype) -> Tensor:
    """The weights as numbers of `dtype`, [lines, columns]."""
    out = torch.empty(weight.lines, weight.columns, dtype=dtype, device=weight.words.device)
    tiles = 4 if weight.lines % 64 == 0 else 1
    _dequantize[(weight.blocks, weight.lines // 16 // tiles)](
        weight.words, weight.scales, weight.unit, out, weight.blocks, tiles, num_warps=tiles,
        **early(),
    )  # fmt: skip
    return out
