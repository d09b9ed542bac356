"""Rotary position embedding (Su et al. 2021), and the write into the paged cache."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.kernels.cache import cache_line
from bot.inference.engines.gptoss.kernels.launch import early, wait_for_inputs

GROUP = 16
"""Heads that a program has."""


@triton.jit
def rotate(a, b, cosine, sine):
    """(a, b) -> (a cos - b sin, b cos + a sin); all four have one shape, or broadcast to it."""
    return a * cosine - b * sine, b * cosine + a * sine


@triton.jit
def _rotate_and_store(
    qkv_ptr,
    queries_ptr,
    keys_ptr,
    values_ptr,
    cosines_ptr,
    sines_ptr,
    positions_ptr,
    slots_ptr,
    tables_ptr,
    TABLE: tl.constexpr,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    PAGE: tl.constexpr,
    GROUP: tl.constexpr,
):
    """(a, b) -> (a cos - b sin, b cos + a sin) for pairs of queries and keys, by their position.

    `qkv` [rows, HEADS + 2 KV_HEADS, HEAD_DIM]; a program has GROUP heads of one row. Queries go to
    `queries` [rows, HEADS, HEAD_DIM], keys and values to their places in the cache.
    """
    wait_for_inputs()
    row = tl.program_id(0)
    position = tl.load(positions_ptr + row)
    head = tl.program_id(1) * GROUP + tl.arange(0, GROUP)[:, None]
    column = tl.arange(0, HEAD_DIM)[None, :]
    exists = head < HEADS + 2 * KV_HEADS
    whole = tl.load(
        qkv_ptr + (row * (HEADS + 2 * KV_HEADS) + head) * HEAD_DIM + column, mask=exists, other=0.0
    )
    a, b = tl.split(tl.reshape(whole.to(tl.float32), [GROUP, HEAD_DIM // 2, 2]))
    at = position * (HEAD_DIM // 2) + tl.arange(0, HEAD_DIM // 2)[None, :]
    a, b = rotate(a, b, tl.load(cosines_ptr + at), tl.load(sines_ptr + at))
    turned = tl.reshape(tl.join(a, b), [GROUP, HEAD_DIM]).to(qkv_ptr.dtype.element_ty)

    tl.store(queries_ptr + (row * HEADS + head) * HEAD_DIM + column, turned, mask=head < HEADS)
    page = tl.load(tables_ptr + tl.load(slots_ptr + row) * TABLE + position // PAGE)
    kv_head = (head - HEADS) % KV_HEADS
    line = cache_line(page, kv_head, position, KV_HEADS, PAGE, HEAD_DIM) + column
    tl.store(keys_ptr + line, turned, mask=(head >= HEADS) & (head < HEADS + KV_HEADS))
    tl.store(values_ptr + line, whole, mask=(head >= HEADS + KV_HEADS) & exists)


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
    _rotate_and_store[(rows, triton.cdiv(heads + 2 * kv_heads, GROUP))](
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
        GROUP,
        num_warps=2,
        **early(),
    )
    return queries
