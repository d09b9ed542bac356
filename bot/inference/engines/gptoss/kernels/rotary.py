"""Rotary position embedding (Su et al. 2021), and the write into the paged cache."""

import torch
import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def rotate(a, b, cosine, sine):
    """The pair (a, b) turned by its position's angle."""
    return a * cosine - b * sine, b * cosine + a * sine


@triton.jit
def _rotate_and_store(
    qkv,
    queries,
    keys,
    values,
    cosines,
    sines,
    positions,
    slots,
    tables,
    TABLE: tl.constexpr,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    SIZE: tl.constexpr,
    PAGE: tl.constexpr,
):
    row, head = tl.program_id(0), tl.program_id(1)
    position = tl.load(positions + row)
    pair = tl.arange(0, SIZE // 2)
    source = qkv + (row * (HEADS + 2 * KV_HEADS) + head) * SIZE + 2 * pair
    a, b = tl.load(source).to(tl.float32), tl.load(source + 1).to(tl.float32)
    if head < HEADS + KV_HEADS:
        cosine = tl.load(cosines + position * (SIZE // 2) + pair)
        sine = tl.load(sines + position * (SIZE // 2) + pair)
        a, b = rotate(a, b, cosine, sine)
    if head < HEADS:
        target = queries + (row * HEADS + head) * SIZE + 2 * pair
        tl.store(target, a.to(queries.dtype.element_ty))
        tl.store(target + 1, b.to(queries.dtype.element_ty))
    else:
        page = tl.load(tables + tl.load(slots + row) * TABLE + position // PAGE)
        kv_head = (head - HEADS) % KV_HEADS
        line = ((page * KV_HEADS + kv_head) * PAGE + position % PAGE) * SIZE + 2 * pair
        target = (keys if head < HEADS + KV_HEADS else values) + line
        tl.store(target, a.to(keys.dtype.element_ty))
        tl.store(target + 1, b.to(keys.dtype.element_ty))


def rotate_and_store(
    qkv: Tensor,
    cache: Tensor,
    rotation: tuple[Tensor, Tensor],
    positions: Tensor,
    slots: Tensor,
    tables: Tensor,
    heads: int,
) -> Tensor:
    """The rotated queries [rows, heads, head size]; keys and values go into `cache`.

    `qkv` is [rows, (heads + 2 kv heads) * head size], with the two halves of each query and key
    head interleaved, see weights.py. `cache` is [2, pages, kv heads, page tokens, head size],
    `rotation` cosines and sines float32 [context, head size / 2]; `positions` and `slots` are int32
    [rows], `tables` int32 [slots, pages of a sequence].
    """
    _, _, kv_heads, page, size = cache.shape
    rows = len(qkv)
    queries = torch.empty(rows, heads, size, dtype=qkv.dtype, device=qkv.device)
    _rotate_and_store[(rows, heads + 2 * kv_heads)](
        qkv,
        queries,
        cache[0],
        cache[1],
        *rotation,
        positions,
        slots,
        tables,
        tables.stride(0),
        heads,
        kv_heads,
        size,
        page,
        num_warps=1,
    )
    return queries
