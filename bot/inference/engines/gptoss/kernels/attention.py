"""Attention over the paged cache, with sinks and a sliding window.

A sink is a learned logit per head that takes part in the softmax but has no value (gpt-oss model
card, 2025, section 2.2; Xiao et al. 2023). The softmax is computed online over tiles of keys, in
base 2 (Dao et al. 2022, FlashAttention). A decode step splits the keys of one sequence among
programs; the last of them to finish merges the parts, always in the same order.
"""

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.chunk import Chunk
from bot.inference.engines.gptoss.kernels.cache import cache_line
from bot.inference.engines.gptoss.kernels.launch import (
    early,
    has_warp_groups,
    on_tensor_cores,
    wait_for_inputs,
)

LOG2_E = tl.constexpr(math.log2(math.e))
TILE = 128
"""Keys that a step of the softmax takes where few queries share them."""
REGISTERS = 128
"""Of a thread of a decode step, at most: two programs of 256 threads fit into a multiprocessor."""


@triton.jit
def _keys_and_values(
    keys_ptr,
    values_ptr,
    table_ptr,
    kv_head,
    position,
    end,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    PAGE: tl.constexpr,
):
    """Keys and values [tile, HEAD_DIM] at `position` [tile]; from `end` on zeros."""
    exists = (position >= 0) if end is None else (position < end)
    page = tl.load(table_ptr + position // PAGE, mask=exists, other=0)
    line = cache_line(page, kv_head, position, KV_HEADS, PAGE, HEAD_DIM)
    at = line[:, None] + tl.arange(0, HEAD_DIM)[None, :]
    value = tl.load(values_ptr + at, mask=exists[:, None], other=0.0)
    key = tl.load(keys_ptr + at, mask=exists[:, None], other=0.0)
    return key, value


@triton.jit
def _attend(query, state, key, value, seen):
    """One step of the online softmax, for queries [rows, size] and a tile of keys.

    `state` is the greatest score, the sum of weights and the mixed values so far; `seen`, for
    [rows, tile] or [1, tile], says which keys a query looks at.
    """
    greatest, total, mixed = state
    scores = tl.dot(query, tl.trans(key), input_precision="ieee")
    scores = tl.where(seen, scores, float("-inf"))
    new = tl.maximum(greatest, tl.max(scores, 1))
    finite = tl.where(new == float("-inf"), 0.0, new)  # for rows that see nothing of this tile
    shrink = tl.exp2(greatest - finite)
    weights = tl.exp2(scores - finite[:, None])
    total = total * shrink + tl.sum(weights, 1)
    mixed = mixed * shrink[:, None]
    mixed += tl.dot(weights.to(value.dtype), value, input_precision="ieee")
    return new, total, mixed


@triton.jit
def _decode(
    queries_ptr,
    keys_ptr,
    values_ptr,
    sinks_ptr,
    positions_ptr,
    slots_ptr,
    tables_ptr,
    out_ptr,
    part_mixed_ptr,
    part_greatest_ptr,
    part_total_ptr,
    arrived_ptr,
    scale,
    TABLE: tl.constexpr,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    PAGE: tl.constexpr,
    WINDOW: tl.constexpr,
    TILE: tl.constexpr,
    SPLITS: tl.constexpr,
    GROUP: tl.constexpr,
):
    """out = softmax([scale q K^T, sink]) V over the keys that a row sees; a sink has no value.

    `queries` and `out` [rows, HEADS, HEAD_DIM]; a program has a share of the keys of one row and
    one key-value head, for the GROUP query heads that share it. The parts are [rows, KV_HEADS,
    SPLITS, GROUP] and, mixed, times HEAD_DIM; programs that no key is left for end at once.
    """
    row, kv_head, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    newest = tl.load(positions_ptr + row)
    table_ptr = tables_ptr + tl.load(slots_ptr + row) * TABLE
    member = tl.arange(0, GROUP)  # of the query heads that share kv_head, padded
    is_head = member < HEADS // KV_HEADS
    head = row * HEADS + kv_head * (HEADS // KV_HEADS) + member
    column = tl.arange(0, HEAD_DIM)
    sink = tl.load(
        sinks_ptr + kv_head * (HEADS // KV_HEADS) + member, mask=is_head, other=float("-inf")
    )
    sink = sink.to(tl.float32) * LOG2_E
    oldest = 0
    if WINDOW > 0:
        oldest = tl.maximum(newest + 1 - WINDOW, 0)
    # At least a tile; whole tiles were slower, see docs/benchmarks.md.
    share = tl.maximum(tl.cdiv(newest - oldest, SPLITS), TILE)
    parts = tl.maximum(tl.cdiv(newest - oldest, share), 1)
    if split >= parts:
        return
    begin = oldest + split * share
    end = tl.minimum(begin + share, newest)
    page = tl.load(table_ptr + newest // PAGE)
    line = cache_line(page, kv_head, newest, KV_HEADS, PAGE, HEAD_DIM)
    place = tl.arange(0, TILE)
    key, value = _keys_and_values(
        keys_ptr, values_ptr, table_ptr, kv_head, begin + place, end, KV_HEADS, HEAD_DIM, PAGE
    )
    wait_for_inputs()
    tl.debug_barrier()  # the compiler would load the keys_ptr just before their use

    query = tl.load(
        queries_ptr + head[:, None] * HEAD_DIM + column[None, :], mask=is_head[:, None], other=0.0
    )
    query = (query.to(tl.float32) * (scale * LOG2_E)).to(query.dtype)
    # The sink and the newest key, which only now is there, begin the softmax of the first part.
    own_key = tl.load(keys_ptr + line + column).to(tl.float32)
    own_value = tl.load(values_ptr + line + column).to(tl.float32)
    own = tl.sum(query.to(tl.float32) * own_key[None, :], 1)
    first = split == 0
    greatest = tl.where(first, tl.maximum(own, sink), float("-inf"))
    weight = tl.where(first, tl.exp2(own - greatest), 0.0)
    total = tl.where(first, weight + tl.exp2(sink - greatest), 0.0)
    mixed = weight[:, None] * own_value[None, :]
    state = _attend(query, (greatest, total, mixed), key, value, (begin + place < end)[None, :])
    for start in range(begin + TILE, end, TILE):
        key, value = _keys_and_values(
            keys_ptr, values_ptr, table_ptr, kv_head, start + place, end, KV_HEADS, HEAD_DIM, PAGE
        )
        state = _attend(query, state, key, value, (start + place < end)[None, :])
    greatest, total, mixed = state

    if SPLITS > 1:
        lane = (row * KV_HEADS + kv_head) * SPLITS * GROUP + member
        at = lane[:, None] * HEAD_DIM + column[None, :]
        tl.store(part_greatest_ptr + split * GROUP + lane, greatest)
        tl.store(part_total_ptr + split * GROUP + lane, total)
        tl.store(part_mixed_ptr + split * GROUP * HEAD_DIM + at, mixed, mask=is_head[:, None])
        tl.debug_barrier()  # every thread's part is written before this program counts as arrived
        counter_ptr = arrived_ptr + row * KV_HEADS + kv_head
        if tl.atomic_add(counter_ptr, 1) != parts - 1:
            return
        tl.store(counter_ptr, 0)
        greatest = tl.full([GROUP], float("-inf"), tl.float32)
        for part in tl.static_range(SPLITS):
            exists = member < tl.where(part < parts, HEADS // KV_HEADS, 0)
            its_ptr = part_greatest_ptr + part * GROUP + lane
            its = tl.load(its_ptr, exists, float("-inf"), cache_modifier=".cg")
            greatest = tl.maximum(greatest, its)
        greatest = tl.where(is_head, greatest, 0.0)
        total = tl.zeros([GROUP], tl.float32)
        mixed = tl.zeros([GROUP, HEAD_DIM], tl.float32)
        for part in tl.static_range(SPLITS):
            exists = member < tl.where(part < parts, HEADS // KV_HEADS, 0)
            its_ptr = part_greatest_ptr + part * GROUP + lane
            its = tl.load(its_ptr, exists, float("-inf"), cache_modifier=".cg")
            weight = tl.exp2(its - greatest)
            its_ptr = part_total_ptr + part * GROUP + lane
            total += weight * tl.load(its_ptr, exists, 0.0, cache_modifier=".cg")
            its_ptr = part_mixed_ptr + part * GROUP * HEAD_DIM + at
            its_mixed = tl.load(its_ptr, exists[:, None], 0.0, cache_modifier=".cg")
            mixed += weight[:, None] * its_mixed

    tl.store(
        out_ptr + head[:, None] * HEAD_DIM + column[None, :],
        (mixed / total[:, None]).to(out_ptr.dtype.element_ty),
        mask=is_head[:, None],
    )


class DecodeAttention:
    """Attention of rows at the ends of their sequences; holds the workspace for `rows` of them.

    `splits`, a power of two, is how many programs share a sequence's keys at most; `dtype` the
    result's.
    """

    def __init__(
        self, rows: int, heads: int, cache: Tensor, splits: int, dtype: torch.dtype
    ) -> None:
        self._dtype = dtype
        _, _, kv_heads, _, size = cache.shape
        self._splits = splits
        self._group = max(16, triton.next_power_of_2(heads // kv_heads))  # a tensor core's rows
        parts = (rows, kv_heads, splits, self._group)
        device = cache.device
        self._mixed = torch.empty(*parts, size, dtype=torch.float32, device=device)
        self._greatest = torch.empty(*parts, dtype=torch.float32, device=device)
        self._total = torch.empty(*parts, dtype=torch.float32, device=device)
        self._arrived = torch.zeros(rows, kv_heads, dtype=torch.int32, device=device)

    def __call__(
        self,
        queries: Tensor,
        cache: Tensor,
        sinks: Tensor,
        positions: Tensor,
        slots: Tensor,
        tables: Tensor,
        window: int,
    ) -> Tensor:
        """Mixed values [rows, heads * head size]; the arguments are those of rotate_and_store.

        `window` is the number of positions that a query sees, itself included; 0: all.
        """
        rows, heads, size = queries.shape
        _, _, kv_heads, page, _ = cache.shape
        out = torch.empty(rows, heads * size, dtype=self._dtype, device=queries.device)
        splits = 1 if window else self._splits
        _decode[(rows, kv_heads, splits)](
            queries,
            cache[0],
            cache[1],
            sinks,
            positions,
            slots,
            tables,
            out,
            self._mixed,
            self._greatest,
            self._total,
            self._arrived,
            size**-0.5,
            tables.stride(0),
            heads,
            kv_heads,
            size,
            page,
            window,
            TILE if on_tensor_cores() else TILE // 2,
            splits,
            self._group,
            num_warps=8,
            num_stages=3,
            maxnreg=REGISTERS if on_tensor_cores() else None,
            **early(),
        )
        return out


@triton.jit
def _prefill(
    queries_ptr,
    keys_ptr,
    values_ptr,
    sinks_ptr,
    blocks_ptr,
    tables_ptr,
    out_ptr,
    scale,
    TABLE: tl.constexpr,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    PAGE: tl.constexpr,
    WINDOW: tl.constexpr,
    PARTS: tl.constexpr,
    ROWS: tl.constexpr,
    TILE: tl.constexpr,
):
    """out = softmax([scale Q K^T, sink]) V, each row over its sequence's keys up to its own.

    `queries` and `out` [rows, HEADS, HEAD_DIM], `blocks` [blocks, 5] as in chunk.py; a program has
    ROWS rows of one head, a block's PARTS-th part, and goes through their keys in tiles.
    """
    wait_for_inputs()
    block_ptr, head = blocks_ptr + tl.program_id(0) // PARTS * 5, tl.program_id(1)
    before = tl.program_id(0) % PARTS * ROWS
    # Not from the first cache, which would not know that the chunk was cancelled meanwhile.
    count = tl.load(block_ptr + 1, cache_modifier=".cg") - before
    if count <= 0:
        return
    start = tl.load(block_ptr + 2) + before
    end = tl.minimum(tl.load(block_ptr + 3), start + ROWS)
    table_ptr = tables_ptr + tl.load(block_ptr + 4) * TABLE
    place = tl.arange(0, ROWS)
    exists = (place < count)[:, None]
    column = tl.arange(0, HEAD_DIM)
    row = tl.load(block_ptr) + before + place
    line = (row[:, None] * HEADS + head) * HEAD_DIM + column[None, :]
    query = tl.load(queries_ptr + line, mask=exists, other=0.0)
    query = (query.to(tl.float32) * (scale * LOG2_E)).to(query.dtype)
    asking = start + place

    sink = tl.load(sinks_ptr + head).to(tl.float32) * LOG2_E
    greatest = tl.zeros([ROWS], tl.float32) + sink
    total = tl.full([ROWS], 1.0, tl.float32)
    mixed = tl.zeros([ROWS, HEAD_DIM], tl.float32)
    state = (greatest, total, mixed)
    kv_head = head // (HEADS // KV_HEADS)
    key_place = tl.arange(0, TILE)
    oldest = 0
    if WINDOW > 0:
        oldest = tl.maximum(start + 1 - WINDOW, 0) // TILE * TILE
    else:
        seen_by_all = tl.minimum(start + 1, end) // TILE * TILE
        for begin in range(0, seen_by_all, TILE):
            position = begin + key_place
            key, value = _keys_and_values(
                keys_ptr, values_ptr, table_ptr, kv_head, position, None, KV_HEADS, HEAD_DIM, PAGE
            )
            state = _attend(query, state, key, value, True)
        oldest = seen_by_all
    for begin in range(oldest, end, TILE):
        position = begin + key_place
        key, value = _keys_and_values(
            keys_ptr, values_ptr, table_ptr, kv_head, position, end, KV_HEADS, HEAD_DIM, PAGE
        )
        seen = position[None, :] <= asking[:, None]
        if WINDOW > 0:
            seen = seen & (position[None, :] > asking[:, None] - WINDOW)
        state = _attend(query, state, key, value, seen)
    greatest, total, mixed = state
    mixed = mixed / total[:, None]
    tl.store(out_ptr + line, mixed.to(out_ptr.dtype.element_ty), mask=exists)


FULL = {"ROWS": 128, "TILE": 128, "num_warps": 4, "num_stages": 2}
FULL_ELSEWHERE = FULL | {"TILE": 64}
SLIDING = {"ROWS": 64, "TILE": 64, "num_warps": 4, "num_stages": 3}
"""How prompts' rows go through all keys, or through those in the window.

128 keys at once are fastest where a warp group multiplies them (`wgmma`); elsewhere they spill.
"""
WITHOUT_TENSOR_CORES = {"ROWS": 32, "TILE": 32, "num_warps": 4}
"""The same for both: the fastest of 14 that were tried."""


def _blocks(window: int) -> dict[str, int]:
    if not on_tensor_cores():
        return WITHOUT_TENSOR_CORES
    if window:
        return SLIDING
    return FULL if has_warp_groups() else FULL_ELSEWHERE


def prefill_attention(
    queries: Tensor,
    cache: Tensor,
    sinks: Tensor,
    chunk: Chunk,
    tables: Tensor,
    window: int,
    dtype: torch.dtype,
) -> Tensor:
    """Mixed values [rows, heads * head size] of prompts' rows, in `dtype`.

    `queries` is [rows, heads, head size]; the keys and values of these rows are in `cache`
    already. Rows that only fill the chunk up get zeros.
    """
    rows, heads, size = queries.shape
    _, _, kv_heads, page, _ = cache.shape
    out = torch.empty(rows, heads * size, dtype=dtype, device=queries.device)
    blocks = _blocks(window)
    blocks = blocks | {"ROWS": min(blocks["ROWS"], chunk.block_rows)}
    parts = chunk.block_rows // blocks["ROWS"]
    _prefill[(len(chunk.blocks) * parts, heads)](
        queries,
        cache[0],
        cache[1],
        sinks,
        chunk.blocks,
        tables,
        out,
        size**-0.5,
        tables.stride(0),
        heads,
        kv_heads,
        size,
        page,
        window,
        parts,
        **blocks,
        **early(),
    )
    return out
