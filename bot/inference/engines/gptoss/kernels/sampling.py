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
WORD = tl.constexpr(32)
"""Tokens in a word of a mask."""
PARTS, ROUNDS = 64, 4
"""Parts that a round divides an interval into; after the last one they are 4e-6 of a nat."""


@dataclass(frozen=True)
class SamplingState:
    """What each slot draws with; all have one entry a slot.

    `seeds` int64; `temperatures`, `top_p`, `min_p` and `penalties` float32, with `penalties` for
    the tokens in `seen` uint8 [slots, vocabulary] (Keskar et al. 2019). `masks` int32 [slots,
    words] has a bit for each token that may be drawn, see base.Sequence. `tokens` and `positions`
    int32 are what a decode step feeds next, `forced` int32 a token to take in place of a draw, or
    -1. The last slot is for rows that only fill up a batch; it stays at position 0.
    """

    seeds: Tensor
    temperatures: Tensor
    top_p: Tensor
    min_p: Tensor
    penalties: Tensor
    seen: Tensor
    masks: Tensor
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
            masks=zeros(torch.int32, triton.cdiv(vocabulary, WORD.value)) - 1,
            tokens=zeros(torch.int32),
            positions=zeros(torch.int32),
            forced=zeros(torch.int32) - 1,
        )


@triton.jit
def _scores(
    logits_ptr,
    row,
    slot,
    token,
    temperatures_ptr,
    penalties_ptr,
    seen_ptr,
    masks_ptr,
    VOCAB: tl.constexpr,
):
    """Logits with penalty over temperature; a temperature of 0 leaves them as they are.

    Those of tokens that may not be drawn are minus infinity. `token` and the scores are [n],
    `logits` [rows, VOCAB], `seen` [slots, VOCAB], `masks` [slots, VOCAB / 32] a bit for each token.
    """
    inside = token < VOCAB
    words: tl.constexpr = (VOCAB + WORD - 1) // WORD
    word = tl.load(masks_ptr + slot.to(tl.int64) * words + token // WORD, mask=inside, other=0)
    allowed = ((word >> (token % WORD)) & 1) != 0
    score = tl.load(logits_ptr + row.to(tl.int64) * VOCAB + token, mask=inside, other=0.0)
    score = tl.where(allowed, score.to(tl.float32), float("-inf"))
    penalty = tl.load(penalties_ptr + slot)
    if penalty != 1.0:
        came = tl.load(seen_ptr + slot.to(tl.int64) * VOCAB + token, mask=inside, other=0)
        punished = tl.where(score > 0, score / penalty, score * penalty)
        score = tl.where(came > 0, punished, score)
    temperature = tl.load(temperatures_ptr + slot)
    return score / tl.where(temperature > 0, temperature, 1.0)


@triton.jit
def _maxima(
    logits_ptr,
    slots_ptr,
    temperatures_ptr,
    penalties_ptr,
    seen_ptr,
    masks_ptr,
    maxima_ptr,
    VOCAB: tl.constexpr,
    CHUNKS: tl.constexpr,
    CHUNK: tl.constexpr,
):
    """maxima[row, chunk] = the greatest score of a chunk of the vocabulary.

    `logits` [rows, VOCAB], `slots` [rows], `maxima` [rows, CHUNKS]; a program has one chunk of
    one row.
    """
    wait_for_inputs()
    row, chunk = tl.program_id(0), tl.program_id(1)
    token = chunk * CHUNK + tl.arange(0, CHUNK)
    slot = tl.load(slots_ptr + row)
    score = _scores(
        logits_ptr, row, slot, token, temperatures_ptr, penalties_ptr, seen_ptr, masks_ptr, VOCAB
    )
    tl.store(maxima_ptr + row * CHUNKS + chunk, tl.max(score))


@triton.jit
def _greatest(maxima_ptr, row, CHUNKS: tl.constexpr, PADDED: tl.constexpr):
    """The greatest score of a row, of `maxima` [rows, CHUNKS]."""
    chunk = tl.arange(0, PADDED)
    return tl.max(
        tl.load(maxima_ptr + row * CHUNKS + chunk, mask=chunk < CHUNKS, other=float("-inf"))
    )


@triton.jit
def _narrowed(
    row,
    p,
    greatest,
    bounds_ptr,
    masses_ptr,
    ROUND: tl.constexpr,
    PARTS: tl.constexpr,
    CHUNKS: tl.constexpr,
    PADDED: tl.constexpr,
):
    """Where the interval begins that ROUND rounds have left, and the mass from the floor on.

    `bounds_ptr` [rows, 2] has both as they were a round ago, `masses_ptr` [rows, CHUNKS, PARTS]
    what was found in it since.
    """
    low = greatest - RANGE
    wanted = greatest * 0
    if ROUND > 0:
        chunk, part = tl.arange(0, PADDED)[:, None], tl.arange(0, PARTS)[None, :]
        at = masses_ptr + (row * CHUNKS + chunk) * PARTS + part
        mass = tl.sum(tl.load(at, mask=chunk < CHUNKS, other=0.0), 0)
        if ROUND == 1:
            wanted = p * tl.max(mass)
        else:
            low = tl.load(bounds_ptr + 2 * row)
            wanted = tl.load(bounds_ptr + 2 * row + 1)
        enough = tl.sum((mass >= wanted).to(tl.int32))
        low += (enough - 1) * (RANGE / PARTS**ROUND)
    return low, wanted


@triton.jit
def _narrow(
    logits_ptr,
    slots_ptr,
    temperatures_ptr,
    penalties_ptr,
    seen_ptr,
    masks_ptr,
    top_p_ptr,
    maxima_ptr,
    bounds_ptr,
    masses_ptr,
    new_bounds_ptr,
    new_masses_ptr,
    ROUND: tl.constexpr,
    PARTS: tl.constexpr,
    VOCAB: tl.constexpr,
    CHUNKS: tl.constexpr,
    PADDED: tl.constexpr,
    CHUNK: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """new_masses[row, chunk, part] = sum of exp(score - greatest) over scores >= the part's floor.

    Floors divide the interval that the rounds before have left into PARTS. `bounds` [rows, 2] and
    `masses` [rows, CHUNKS, PARTS] as in _narrowed; a program has one chunk of one row.
    """
    wait_for_inputs()
    row, chunk = tl.program_id(0), tl.program_id(1)
    slot = tl.load(slots_ptr + row)
    p = tl.load(top_p_ptr + slot)
    if p >= 1.0:
        return
    greatest = _greatest(maxima_ptr, row, CHUNKS, PADDED)
    low, wanted = _narrowed(row, p, greatest, bounds_ptr, masses_ptr, ROUND, PARTS, CHUNKS, PADDED)
    if chunk == 0:
        tl.store(new_bounds_ptr + 2 * row, low)
        tl.store(new_bounds_ptr + 2 * row + 1, wanted)
    part = tl.arange(0, PARTS)
    floor = low + part * (RANGE / PARTS ** (ROUND + 1))
    sums = tl.zeros([PARTS, BLOCK], tl.float32)
    for begin in range(0, CHUNK, BLOCK):
        token = chunk * CHUNK + begin + tl.arange(0, BLOCK)
        score = _scores(
            logits_ptr,
            row,
            slot,
            token,
            temperatures_ptr,
            penalties_ptr,
            seen_ptr,
            masks_ptr,
            VOCAB,
        )
        weight = tl.exp(score - greatest)
        sums += tl.where(score[None, :] >= floor[:, None], weight[None, :], 0.0)
    tl.store(new_masses_ptr + (row * CHUNKS + chunk) * PARTS + part, tl.sum(sums, 1))


@triton.jit
def _noise(seed, position, token):
    """Gumbel noise: -log(-log(u)) with u uniform in (0, 1), float32 as `token` [n]."""
    zero = token * 0
    bits, _, _, _ = tl.philox(seed, token, position + zero, zero, zero)
    uniform = ((bits >> 9).to(tl.float32) + 0.5) * (1.0 / (1 << 23))
    return -tl.log(-tl.log(uniform))


@triton.jit
def _draw(
    logits_ptr,
    slots_ptr,
    temperatures_ptr,
    penalties_ptr,
    seen_ptr,
    masks_ptr,
    seeds_ptr,
    positions_ptr,
    top_p_ptr,
    min_p_ptr,
    maxima_ptr,
    bounds_ptr,
    masses_ptr,
    best_ptr,
    best_token_ptr,
    ROUNDS: tl.constexpr,
    PARTS: tl.constexpr,
    VOCAB: tl.constexpr,
    CHUNKS: tl.constexpr,
    PADDED: tl.constexpr,
    CHUNK: tl.constexpr,
):
    """best[row, chunk] = max of score + noise over a chunk's scores above the floor, and its token.

    The floor is the higher one of top-p's and min-p's; `best` and `best_token` [rows, CHUNKS]; a
    program has one chunk of one row.
    """
    wait_for_inputs()
    row, chunk = tl.program_id(0), tl.program_id(1)
    slot = tl.load(slots_ptr + row)
    greatest = _greatest(maxima_ptr, row, CHUNKS, PADDED)
    floor = greatest - float("inf")
    p, least = tl.load(top_p_ptr + slot), tl.load(min_p_ptr + slot)
    if p < 1.0:
        floor, _ = _narrowed(
            row, p, greatest, bounds_ptr, masses_ptr, ROUNDS, PARTS, CHUNKS, PADDED
        )
    if least > 0.0:
        floor = tl.maximum(floor, greatest + tl.log(least))
    floor = tl.minimum(floor, greatest)
    token = chunk * CHUNK + tl.arange(0, CHUNK)
    score = _scores(
        logits_ptr, row, slot, token, temperatures_ptr, penalties_ptr, seen_ptr, masks_ptr, VOCAB
    )
    score = tl.where(score >= floor, score, float("-inf"))
    if tl.load(temperatures_ptr + slot) > 0:
        score += _noise(tl.load(seeds_ptr + slot), tl.load(positions_ptr + slot), token)
    tl.store(best_ptr + row * CHUNKS + chunk, tl.max(score))
    tl.store(best_token_ptr + row * CHUNKS + chunk, chunk * CHUNK + tl.argmax(score, 0))


@triton.jit
def _take(
    slots_ptr,
    best_ptr,
    best_token_ptr,
    penalties_ptr,
    seen_ptr,
    forced_ptr,
    tokens_ptr,
    positions_ptr,
    out_ptr,
    last_slot,
    VOCAB: tl.constexpr,
    CHUNKS: tl.constexpr,
    PADDED: tl.constexpr,
):
    """out[row] = the best chunk's token, or the one that is forced; its slot goes on by one.

    `best` and `best_token` [rows, CHUNKS], `out` [rows]; a program has one row.
    """
    wait_for_inputs()
    row = tl.program_id(0)
    slot = tl.load(slots_ptr + row)
    chunk = tl.arange(0, PADDED)
    score = tl.load(best_ptr + row * CHUNKS + chunk, mask=chunk < CHUNKS, other=float("-inf"))
    token = tl.load(best_token_ptr + row * CHUNKS + tl.argmax(score, 0))
    instead = tl.load(forced_ptr + slot)
    if instead >= 0:
        token = instead
    elif tl.load(penalties_ptr + slot) != 1.0:
        tl.store(seen_ptr + slot.to(tl.int64) * VOCAB + token, tl.full([], 1, tl.uint8))
    tl.store(forced_ptr + slot, -1)
    tl.store(tokens_ptr + slot, token)
    tl.store(positions_ptr + slot, tl.where(slot < last_slot, tl.load(positions_ptr + slot) + 1, 0))
    tl.store(out_ptr + row, token)


def sample(logits: Tensor, slots: Tensor, state: SamplingState) -> Tensor:
    """The next tokens int32 [rows] of the rows' `slots` int32, from `logits` [rows, vocabulary].

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
    changes = (state.temperatures, state.penalties, state.seen, state.masks)
    _maxima[(count, chunks)](
        logits, slots, *changes, maxima, size, chunks, chunk, num_warps=8, **early()
    )
    narrowed = (empty(count, 2), empty(count, chunks, PARTS))
    for number in range(ROUNDS):
        before, narrowed = narrowed, (empty(count, 2), empty(count, chunks, PARTS))
        _narrow[(count, chunks)](
            logits, slots, *changes, state.top_p, maxima, *before, *narrowed, number, PARTS, size,
            chunks, padded, chunk, min(128, chunk), num_warps=4, **early(),
        )  # fmt: skip
    _draw[(count, chunks)](
        logits, slots, *changes, state.seeds, state.positions, state.top_p, state.min_p, maxima,
        *narrowed, best, best_token, ROUNDS, PARTS, size, chunks, padded, chunk, num_warps=8,
        **early(),
    )  # fmt: skip
    _take[(count,)](
        slots, best, best_token, state.penalties, state.seen, state.forced, state.tokens,
        state.positions, out, len(state.seeds) - 1, size, chunks, padded, num_warps=1, **early(),
    )  # fmt: skip
    return out
