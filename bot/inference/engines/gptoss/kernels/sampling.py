"""Drawing the next tokens on the GPU, for a batch of sequences with settings of their own.

A draw is the argmax of scores plus Gumbel noise (Maddison et al. 2014), which needs no sorting and
no sums. The noise is Philox's, a function of the sequence's seed, the position and the token, so
that a draw is the same whatever ran beside it. top-p and min-p become a least score beforehand: for
top-p, rounds of all programs together narrow the interval that it is in.
"""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from bot.inference.engines.gptoss.kernels.launch import early, wait_for_inputs

LARGEST_CHUNK = 4096
"""Tokens of the vocabulary that one program looks at."""
RANGE = tl.constexpr(64.0)
"""Nats below the greatest score; what lies farther down has no weight in float32."""
PARTS, ROUNDS = 64, 4
"""Parts that a round divides an interval into; after the last one they are 4e-6 of a nat."""


@dataclass(frozen=True)
class SamplingState:
    """What each slot draws with; all have one entry a slot.

    `seeds` int64; `temperatures`, `top_p`, `min_p` and `penalties` float32, with `penalties` for
    the tokens in `seen` uint8 [slots, vocabulary] (Keskar et al. 2019). `tokens` and `positions`
    int32 are what a decode step feeds next, `forced` int32 a token to take in place of a draw, or
    -1. The last slot is for rows that only fill up a batch; it stays at position 0.
    """

    seeds: Tensor
    temperatures: Tensor
    top_p: Tensor
    min_p: Tensor
    penalties: Tensor
    seen: Tensor
    tokens: Tensor
    positions: Tensor
    forced: Tensor

    @staticmethod
    def empty(slots: int, vocabulary: int, device: torch.device) -> "SamplingState":
        def zeros(dtype: torch.dtype, *shape: int) -> Tensor:
            return torch.zeros(slots, *shape, dtype=dtype, device=device)

        return SamplingState(
            seeds=zeros(torch.int64),
            temperatures=zeros(torch.float32),
            top_p=zeros(torch.float32) + 1,
            min_p=zeros(torch.float32),
            penalties=zeros(torch.float32) + 1,
            seen=zeros(torch.uint8, vocabulary),
            tokens=zeros(torch.int32),
            positions=zeros(torch.int32),
            forced=zeros(torch.int32) - 1,
        )


@triton.jit
def _scores(logits, row, slot, token, temperatures, penalties, seen, SIZE: tl.constexpr):
    """Logits with penalty over temperature; a temperature of 0 leaves them as they are."""
    inside = token < SIZE
    score = tl.load(logits + row.to(tl.int64) * SIZE + token, mask=inside, other=float("-inf"))
    score = score.to(tl.float32)
    penalty = tl.load(penalties + slot)
    if penalty != 1.0:
        came = tl.load(seen + slot.to(tl.int64) * SIZE + token, mask=inside, other=0)
        punished = tl.where(score > 0, score / penalty, score * penalty)
        score = tl.where(came > 0, punished, score)
    temperature = tl.load(temperatures + slot)
    return score / tl.where(temperature > 0, temperature, 1.0)


@triton.jit
def _maxima(
    logits, rows, temperatures, penalties, seen, maxima,
    SIZE: tl.constexpr, CHUNKS: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    wait_for_inputs()
    row, chunk = tl.program_id(0), tl.program_id(1)
    token = chunk * CHUNK + tl.arange(0, CHUNK)
    slot = tl.load(rows + row)
    score = _scores(logits, row, slot, token, temperatures, penalties, seen, SIZE)
    tl.store(maxima + row * CHUNKS + chunk, tl.max(score))


@triton.jit
def _greatest(maxima, row, CHUNKS: tl.constexpr, PADDED: tl.constexpr):
    chunk = tl.arange(0, PADDED)
    return tl.max(tl.load(maxima + row * CHUNKS + chunk, mask=chunk < CHUNKS, other=float("-inf")))


@triton.jit
def _narrowed(
    row, p, greatest, bounds, masses,
    ROUND: tl.constexpr, PARTS: tl.constexpr, CHUNKS: tl.constexpr, PADDED: tl.constexpr,
):  # fmt: skip
    """Where the interval begins that ROUND rounds have left, and the mass from the floor on.

    `bounds` [rows, 2] has both as they were a round ago, `masses` [rows, CHUNKS, PARTS] what was
    found in it since.
    """
    low = greatest - RANGE
    wanted = greatest * 0
    if ROUND > 0:
        chunk, part = tl.arange(0, PADDED)[:, None], tl.arange(0, PARTS)[None, :]
        at = masses + (row * CHUNKS + chunk) * PARTS + part
        mass = tl.sum(tl.load(at, mask=chunk < CHUNKS, other=0.0), 0)
        if ROUND == 1:
            wanted = p * tl.max(mass)
        else:
            low = tl.load(bounds + 2 * row)
            wanted = tl.load(bounds + 2 * row + 1)
        enough = tl.sum((mass >= wanted).to(tl.int32))
        low += (enough - 1) * (RANGE / PARTS**ROUND)
    return low, wanted


@triton.jit
def _narrow(
    logits, rows, temperatures, penalties, seen, top_p, maxima, bounds, masses, new_bounds,
    new_masses,
    ROUND: tl.constexpr, PARTS: tl.constexpr, SIZE: tl.constexpr, CHUNKS: tl.constexpr,
    PADDED: tl.constexpr, CHUNK: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    wait_for_inputs()
    row, chunk = tl.program_id(0), tl.program_id(1)
    slot = tl.load(rows + row)
    p = tl.load(top_p + slot)
    if p >= 1.0:
        return
    greatest = _greatest(maxima, row, CHUNKS, PADDED)
    low, wanted = _narrowed(row, p, greatest, bounds, masses, ROUND, PARTS, CHUNKS, PADDED)
    if chunk == 0:
        tl.store(new_bounds + 2 * row, low)
        tl.store(new_bounds + 2 * row + 1, wanted)
    part = tl.arange(0, PARTS)
    floor = low + part * (RANGE / PARTS ** (ROUND + 1))
    sums = tl.zeros([PARTS, BLOCK], tl.float32)
    for begin in range(0, CHUNK, BLOCK):
        token = chunk * CHUNK + begin + tl.arange(0, BLOCK)
        score = _scores(logits, row, slot, token, temperatures, penalties, seen, SIZE)
        weight = tl.exp(score - greatest)
        sums += tl.where(score[None, :] >= floor[:, None], weight[None, :], 0.0)
    tl.store(new_masses + (row * CHUNKS + chunk) * PARTS + part, tl.sum(sums, 1))


@triton.jit
def _noise(seed, position, token):
    """Gumbel noise: -log(-log(u)) with u uniform in (0, 1)."""
    zero = token * 0
    bits, _, _, _ = tl.philox(seed, token, position + zero, zero, zero)
    uniform = ((bits >> 9).to(tl.float32) + 0.5) * (1.0 / (1 << 23))
    return -tl.log(-tl.log(uniform))


@triton.jit
def _draw(
    logits, rows, temperatures, penalties, seen, seeds, positions, top_p, min_p, maxima, bounds,
    masses, best, best_token,
    ROUNDS: tl.constexpr, PARTS: tl.constexpr, SIZE: tl.constexpr, CHUNKS: tl.constexpr,
    PADDED: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    wait_for_inputs()
    row, chunk = tl.program_id(0), tl.program_id(1)
    slot = tl.load(rows + row)
    greatest = _greatest(maxima, row, CHUNKS, PADDED)
    floor = greatest - float("inf")
    p, least = tl.load(top_p + slot), tl.load(min_p + slot)
    if p < 1.0:
        floor, _ = _narrowed(row, p, greatest, bounds, masses, ROUNDS, PARTS, CHUNKS, PADDED)
    if least > 0.0:
        floor = tl.maximum(floor, greatest + tl.log(least))
    floor = tl.minimum(floor, greatest)
    token = chunk * CHUNK + tl.arange(0, CHUNK)
    score = _scores(logits, row, slot, token, temperatures, penalties, seen, SIZE)
    score = tl.where(score >= floor, score, float("-inf"))
    if tl.load(temperatures + slot) > 0:
        score += _noise(tl.load(seeds + slot), tl.load(positions + slot), token)
    tl.store(best + row * CHUNKS + chunk, tl.max(score))
    tl.store(best_token + row * CHUNKS + chunk, chunk * CHUNK + tl.argmax(score, 0))


@triton.jit
def _take(
    rows, best, best_token, penalties, seen, forced, tokens, positions, out, last_slot,
    SIZE: tl.constexpr, CHUNKS: tl.constexpr, PADDED: tl.constexpr,
):  # fmt: skip
    wait_for_inputs()
    row = tl.program_id(0)
    slot = tl.load(rows + row)
    chunk = tl.arange(0, PADDED)
    score = tl.load(best + row * CHUNKS + chunk, mask=chunk < CHUNKS, other=float("-inf"))
    token = tl.load(best_token + row * CHUNKS + tl.argmax(score, 0))
    instead = tl.load(forced + slot)
    if instead >= 0:
        token = instead
    elif tl.load(penalties + slot) != 1.0:
        tl.store(seen + slot.to(tl.int64) * SIZE + token, tl.full([], 1, tl.uint8))
    tl.store(forced + slot, -1)
    tl.store(tokens + slot, token)
    tl.store(positions + slot, tl.where(slot < last_slot, tl.load(positions + slot) + 1, 0))
    tl.store(out + row, token)


def sample(logits: Tensor, rows: Tensor, state: SamplingState) -> Tensor:
    """The next tokens int32 [rows] of the slots in `rows` int32, from `logits` [rows, vocabulary].

    They are put into `state` too: as the slots' tokens, one position on.
    """
    count, size = logits.shape
    chunk = min(LARGEST_CHUNK, triton.next_power_of_2(size))
    chunks = triton.cdiv(size, chunk)
    padded = triton.next_power_of_2(chunks)

    def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.empty(*shape, dtype=dtype, device=logits.device)

    maxima, best = empty(count, chunks), empty(count, chunks)
    best_token, out = empty(count, chunks, dtype=torch.int32), empty(count, dtype=torch.int32)
    changes = (state.temperatures, state.penalties, state.seen)
    _maxima[(count, chunks)](
        logits, rows, *changes, maxima, size, chunks, chunk, num_warps=8, **early()
    )
    narrowed = (empty(count, 2), empty(count, chunks, PARTS))
    for number in range(ROUNDS):
        before, narrowed = narrowed, (empty(count, 2), empty(count, chunks, PARTS))
        _narrow[(count, chunks)](
            logits, rows, *changes, state.top_p, maxima, *before, *narrowed, number, PARTS, size,
            chunks, padded, chunk, min(128, chunk), num_warps=4, **early(),
        )  # fmt: skip
    _draw[(count, chunks)](
        logits, rows, *changes, state.seeds, state.positions, state.top_p, state.min_p, maxima,
        *narrowed, best, best_token, ROUNDS, PARTS, size, chunks, padded, chunk, num_warps=8,
        **early(),
    )  # fmt: skip
    _take[(count,)](
        rows, best, best_token, state.penalties, state.seen, state.forced, state.tokens,
        state.positions, out, len(state.seeds) - 1, size, chunks, padded, num_warps=1, **early(),
    )  # fmt: skip
    return out
