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
    PADDED: tl.constexpr,
):
    row = tl.program_id(0)
    position = tl.load(positions + row)
    head = tl.arange(0, PADDED)[:, None]
    pair = tl.arange(0, SIZE // 2)[None, :]
    exists = head < HEADS + 2 * KV_HEADS
    source = qkv + (row * (HEADS + 2 * KV_HEADS) + head) * SIZE + 2 * pair
    a = tl.load(source, mask=exists, other=0.0).to(tl.float32)
    b = tl.load(source + 1, mask=exists, other=0.0).to(tl.float32)
    cosine = tl.load(cosines + position * (SIZE // 2) + pair)
    sine = tl.load(sines + position * (SIZE // 2) + pair)
    turned_a, turned_b = rotate(a, b, cosine, sine)
    turned_a, turned_b = turned_a.to(qkv.dtype.element_ty), turned_b.to(qkv.dtype.element_ty)

    target = queries + (row * HEADS + head) * SIZE + 2 * pair
    tl.store(target, turned_a, mask=head < HEADS)
    tl.store(target + 1, turned_b, mask=head < HEADS)
    page = tl.load(tables + tl.load(slots + row) * TABLE + position // PAGE)
    kv_head = (head - HEADS) % KV_HEADS
    line = ((page * KV_HEADS + kv_head) * PAGE + position % PAGE) * SIZE + 2 * pair
    is_key = (head >= HEADS) & (head < HEADS + KV_HEADS)
    tl.store(keys + line, turned_a, mask=is_key)
    tl.store(keys + line + 1, turned_b, mask=is_key)
    is_value = (head >= HEADS + KV_HEADS) & exists
    tl.store(values + line, a.to(qkv.dtype.element_ty), mask=is_value)
    tl.store(values + line + 1, b.to(qkv.dtype.element_ty), mask=is_value)


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
    _rotate_and_store[(rows,)](
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
        triton.next_power_of_2(heads + 2 * kv_heads),
    )
    return queries
