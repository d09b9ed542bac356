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

from bot.inference.engines.gptoss.kernels.launch import early, wait_for_inputs

LOG2_E = tl.constexpr(math.log2(math.e))
TILE = 128
"""Keys that a step of the softmax takes where few queries share them."""


@triton.jit
def _attend_tile(
    query,
    state,
    keys,
    values,
    table,
    kv_head,
    tile,
    asking,
    end,
    KV_HEADS: tl.constexpr,
    SIZE: tl.constexpr,
    PAGE: tl.constexpr,
    WINDOW: tl.constexpr,
    TILE: tl.constexpr,
):
    """One step of the online softmax, for queries [rows, size] at positions `asking` [rows].

    `state` is the greatest score, the sum of weights and the mixed values so far; tile number
    `tile` has the keys looked at, those from position `end` on don't exist.
    """
    greatest, total, mixed = state
    position = tile * TILE + tl.arange(0, TILE)
    exists = position < end
    page = tl.load(table + position // PAGE, mask=exists, other=0)
    line = ((page * KV_HEADS + kv_head) * PAGE + position % PAGE) * SIZE
    column = tl.arange(0, SIZE)
    key = tl.load(keys + line[None, :] + column[:, None], mask=exists[None, :], other=0.0)
    value = tl.load(values + line[:, None] + column[None, :], mask=exists[:, None], other=0.0)
    scores = tl.dot(query, key, input_precision="ieee")
    seen = position[None, :] <= asking[:, None]
    if WINDOW > 0:
        seen = seen & (position[None, :] > asking[:, None] - WINDOW)
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
    queries,
    keys,
    values,
    sinks,
    positions,
    slots,
    tables,
    out,
    part_mixed,
    part_greatest,
    part_total,
    arrived,
    scale,
    TABLE: tl.constexpr,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    SIZE: tl.constexpr,
    PAGE: tl.constexpr,
    WINDOW: tl.constexpr,
    TILE: tl.constexpr,
    SPLITS: tl.constexpr,
    GROUP: tl.constexpr,
):
    row, kv_head, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    here = tl.load(positions + row)
    table = tables + tl.load(slots + row) * TABLE
    member = tl.arange(0, GROUP)  # of the query heads that share kv_head, padded
    is_head = member < HEADS // KV_HEADS
    head = row * HEADS + kv_head * (HEADS // KV_HEADS) + member
    column = tl.arange(0, SIZE)
    sink = tl.load(
        sinks + kv_head * (HEADS // KV_HEADS) + member, mask=is_head, other=float("-inf")
    )
    wait_for_inputs()
    query = tl.load(
        queries + head[:, None] * SIZE + column[None, :], mask=is_head[:, None], other=0.0
    )
    query = (query.to(tl.float32) * (scale * LOG2_E)).to(query.dtype)

    begin = 0
    if WINDOW > 0:
        begin = tl.maximum(here + 1 - WINDOW, 0) // TILE
    tiles = here // TILE + 1 - begin
    share = tl.cdiv(tiles, SPLITS)
    first = begin + split * share
    greatest = tl.full([GROUP], float("-inf"), tl.float32)
    total = tl.zeros([GROUP], tl.float32)
    mixed = tl.zeros([GROUP, SIZE], tl.float32)
    asking = here + tl.zeros([GROUP], tl.int32)
    for tile in range(first, tl.minimum(first + share, begin + tiles)):
        greatest, total, mixed = _attend_tile(
            query, (greatest, total, mixed), keys, values, table, kv_head, tile, asking, here + 1,
            KV_HEADS, SIZE, PAGE, WINDOW, TILE,
        )  # fmt: skip

    if SPLITS > 1:
        part = (row * KV_HEADS + kv_head) * SPLITS
        lane = (part + split) * GROUP + member
        tl.store(part_greatest + lane, greatest)
        tl.store(part_total + lane, total)
        at = lane[:, None] * SIZE + column[None, :]
        tl.store(part_mixed + at, mixed, mask=is_head[:, None])
        tl.debug_barrier()  # every thread's part is written before this program counts as arrived
        counter = arrived + row * KV_HEADS + kv_head
        if tl.atomic_add(counter, 1) != SPLITS - 1:
            return
        tl.store(counter, 0)
        lanes = (part + tl.arange(0, SPLITS)[:, None]) * GROUP + member[None, :]
        maxima = tl.load(part_greatest + lanes, cache_modifier=".cg")
        greatest = tl.max(maxima, 0)  # of the first part at least, which is never empty
        weights = tl.exp2(maxima - greatest[None, :])
        totals = tl.load(part_total + lanes, cache_modifier=".cg")
        total = tl.sum(totals * weights, 0)
        at = lanes[:, :, None] * SIZE + column[None, None, :]
        parts = tl.load(
            part_mixed + at, mask=is_head[None, :, None], other=0.0, cache_modifier=".cg"
        )
        mixed = tl.sum(parts * weights[:, :, None], 0)

    sink = sink.to(tl.float32) * LOG2_E
    new = tl.maximum(greatest, sink)
    shrink = tl.exp2(greatest - new)
    total = total * shrink + tl.exp2(sink - new)
    mixed = mixed * (shrink / total)[:, None]
    tl.store(
        out + head[:, None] * SIZE + column[None, :],
        mixed.to(out.dtype.element_ty),
        mask=is_head[:, None],
    )


class DecodeAttention:
    """Attention of rows at the ends of their sequences; holds the workspace for `rows` of them.

    `splits`, a power of two, is how many programs share a sequence's keys.
    """

    def __init__(self, rows: int, heads: int, cache: Tensor, splits: int) -> None:
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
        out = torch.empty(rows, heads * size, dtype=queries.dtype, device=queries.device)
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
            TILE,
            splits,
            self._group,
            num_warps=4,
            num_stages=3,
            **early(),
        )
        return out


@triton.jit(do_not_specialize=["rows"])
def _prefill(
    queries,
    keys,
    values,
    sinks,
    positions,
    slots,
    counts,
    tables,
    out,
    rows,
    scale,
    TABLE: tl.constexpr,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    SIZE: tl.constexpr,
    PAGE: tl.constexpr,
    WINDOW: tl.constexpr,
    ROWS: tl.constexpr,
    TILE: tl.constexpr,
):
    wait_for_inputs()
    block, head = tl.num_programs(0) - 1 - tl.program_id(0), tl.program_id(1)  # longest first
    start, count = tl.load(positions), tl.load(counts)
    table = tables + tl.load(slots) * TABLE
    row = block * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, SIZE)
    line = (row[:, None] * HEADS + head) * SIZE + column[None, :]
    query = tl.load(queries + line, mask=(row < rows)[:, None], other=0.0)
    query = (query.to(tl.float32) * (scale * LOG2_E)).to(query.dtype)
    asking = start + row
    end = start + tl.minimum(count, (block + 1) * ROWS)

    sink = tl.load(sinks + head).to(tl.float32) * LOG2_E
    greatest = tl.zeros([ROWS], tl.float32) + sink
    total = tl.full([ROWS], 1.0, tl.float32)
    mixed = tl.zeros([ROWS, SIZE], tl.float32)
    first = 0
    if WINDOW > 0:
        first = tl.maximum(start + block * ROWS + 1 - WINDOW, 0) // TILE
    for tile in range(first, tl.cdiv(end, TILE)):
        greatest, total, mixed = _attend_tile(
            query, (greatest, total, mixed), keys, values, table, head // (HEADS // KV_HEADS),
            tile, asking, end, KV_HEADS, SIZE, PAGE, WINDOW, TILE,
        )  # fmt: skip
    mixed = mixed / total[:, None]
    tl.store(out + line, mixed.to(out.dtype.element_ty), mask=(row < rows)[:, None])


def prefill_attention(
    queries: Tensor, cache: Tensor, sinks: Tensor, chunk: Tensor, tables: Tensor, window: int
) -> Tensor:
    """Mixed values [rows, heads * head size] of a prompt's chunk, see model.prompt_chunk.

    `queries` is [rows, heads, head size]; the keys and values of these rows are in `cache`
    already. Rows that only fill the chunk up get some finite numbers.
    """
    _, positions, slots, counts = chunk
    rows, heads, size = queries.shape
    _, _, kv_heads, page, _ = cache.shape
    out = torch.empty(rows, heads * size, dtype=queries.dtype, device=queries.device)
    block = min(128, max(16, triton.next_power_of_2(rows)))
    _prefill[(triton.cdiv(rows, block), heads)](
        queries,
        cache[0],
        cache[1],
        sinks,
        positions,
        slots,
        counts,
        tables,
        out,
        rows,
        size**-0.5,
        tables.stride(0),
        heads,
        kv_heads,
        size,
        page,
        window,
        block,
        64,
        num_warps=4,
        num_stages=3,
        **early(),
    )
    return out
