"""MXFP4 weights as the fragments that the tensor cores' instructions take.

A fragment is 16 lines by 64 columns, 512 bytes: four words for each lane of a warp, which reads
them at once. Line 2 g + h and the numbers 8 j + 2 c + i of block b are in lane 4 g + c, in word
2 h + b, as its number (j, i); see mxfp4.pack. Decoded, a lane has what the instruction
mma.m16n8k16 wants of it (PTX ISA, matrix fragments), so that no number changes hands.

Layouts are the compiler's choice. The shapes below only make the cheap choice possible: columns
may be taken in any order if it is the same one on both sides.
"""

import triton
import triton.language as tl

from bot.inference.engines.gptoss.kernels.launch import INTERPRETED, wait_for_inputs

_SPREAD = tl.constexpr("""
    prmt.b32 $0, $4, 0, 0x0404;
    prmt.b32 $1, $4, 0, 0x1414;
    prmt.b32 $2, $4, 0, 0x2424;
    prmt.b32 $3, $4, 0, 0x3434;""")

_PAIRS = """
    shl.b32 {0}, {4}, 5;
    shl.b32 sign, {4}, 15;
    and.b32 {0}, {0}, 0x0E000E00;
    lop3.b32 {0}, {0}, sign, 0x80008000, 0xF8;
    mul.rn.f16x2 {0}, {0}, {5};
    shr.b32 {1}, {4}, 3;
    shl.b32 sign, {4}, 7;
    and.b32 {1}, {1}, 0x0E000E00;
    lop3.b32 {1}, {1}, sign, 0x80008000, 0xF8;
    mul.rn.f16x2 {1}, {1}, {5};
    shl.b32 {2}, {4}, 8;
    and.b32 {2}, {2}, 0x8E008E00;
    mul.rn.f16x2 {2}, {2}, {5};
    and.b32 {3}, {4}, 0x8E008E00;
    mul.rn.f16x2 {3}, {3}, {5};"""
"""A word's numbers in pairs (i = 0, 1) for j = 0 to 3, each pair times its block's scale."""
# Of two words, the first one's before the second's.
_DECODE = tl.constexpr(
    "{ .reg .b32 sign;"
    + _PAIRS.format("$0", "$1", "$2", "$3", "$8", "$10")
    + _PAIRS.format("$4", "$5", "$6", "$7", "$9", "$11")
    + "}"
)


@triton.jit
def in_fragments(column):
    """Where a row whose parts each lane reads at once has `column`."""
    return column // 32 * 32 + column % 8 // 2 * 8 + column % 32 // 8 * 2 + column % 2


@triton.jit
def _pair_of_byte(word, WHICH: tl.constexpr):
    """In the interpreter: see _SPREAD."""
    byte = (word >> (8 * WHICH)) & 0xFF
    return (byte << 8) | (byte << 24)


@triton.jit
def _spread(scales):
    """Each of four bytes as the upper byte of both float16 of a pair."""
    if INTERPRETED:
        return (
            _pair_of_byte(scales, 0), _pair_of_byte(scales, 1),
            _pair_of_byte(scales, 2), _pair_of_byte(scales, 3),
        )  # fmt: skip
    return tl.inline_asm_elementwise(
        _SPREAD, "=&r,=&r,=&r,=r,r", [scales], dtype=(tl.uint32,) * 4, is_pure=True, pack=1
    )


@triton.jit
def _half(pair, WHICH: tl.constexpr):
    """One number of a pair of float16."""
    return ((pair >> (16 * WHICH)) & 0xFFFF).to(tl.uint16).to(tl.float16, bitcast=True)


@triton.jit
def _pairs(word, scale):
    """In the interpreter: see _PAIRS. As float16 [..., 2]."""
    a = ((word << 5) & 0x0E000E00) | ((word << 15) & 0x80008000)
    b = ((word >> 3) & 0x0E000E00) | ((word << 7) & 0x80008000)
    c, d = (word << 8) & 0x8E008E00, word & 0x8E008E00
    by = _half(scale, 0)
    return (
        tl.join(_half(a, 0) * by, _half(a, 1) * by), tl.join(_half(b, 0) * by, _half(b, 1) * by),
        tl.join(_half(c, 0) * by, _half(c, 1) * by), tl.join(_half(d, 0) * by, _half(d, 1) * by),
    )  # fmt: skip


@triton.jit
def _decode(words, scales):
    """The numbers of words [..., 2]: float16 [..., i] for j = 0 to 3 of each of the two.

    The two words must be beside each other in a lane's registers.
    """
    if INTERPRETED:
        first, second = tl.split(words)
        first_scale, second_scale = tl.split(scales)
        a, b, c, d = _pairs(first, first_scale)
        e, f, g, h = _pairs(second, second_scale)
        return a, b, c, d, e, f, g, h
    return tl.inline_asm_elementwise(
        _DECODE, "=&r,=&r,=&r,=&r,=&r,=&r,=&r,=&r,r,r,r,r", [words, scales],
        dtype=(tl.float16,) * 8, is_pure=True, pack=2,
    )  # fmt: skip


@triton.jit
def decoded(word, scales, TILES: tl.constexpr, IN_ORDER: tl.constexpr):
    """Fragments of several tiles as numbers, float16 [TILES, 16, 64]; lines h, g.

    `word` is uint32 [TILES * 32, 4], `scales` uint32 [TILES * 32] has four bytes, one for each
    word. Columns are in their order, or in that of `_rows`.
    """
    s00, s01, s10, s11 = _spread(scales)
    scale = tl.join(tl.join(s00, s10), tl.join(s01, s11))
    shape: tl.constexpr = [TILES, 8, 4, 2, 2]  # g, c, h, b
    a, b, c, d, e, f, g, h = _decode(tl.reshape(word, shape), tl.reshape(scale, shape))
    first = tl.join(tl.join(a, b), tl.join(c, d))  # g, c, h, i, j % 2, j // 2
    second = tl.join(tl.join(e, f), tl.join(g, h))
    number = tl.join(first, second)
    if IN_ORDER:
        return tl.reshape(tl.permute(number, (0, 3, 1, 7, 6, 5, 2, 4)), [TILES, 16, 64])
    return tl.reshape(tl.permute(number, (0, 3, 1, 7, 5, 2, 6, 4)), [TILES, 16, 64])


@triton.jit
def _rows(x, exists, TILES: tl.constexpr):
    """64 columns of eight rows for each tile, [TILES, 64, 8].

    `x` [TILES * 32, 8] points at what each lane (row, c) has of the first block, see in_fragments.
    Columns are b, j % 2, c, j // 2, i, so that an instruction takes j = 0 and 1, or 2 and 3, of a
    row: registers beside each other.
    """
    first = tl.load(x, mask=exists[:, None], other=0.0)
    second = tl.load(x + 32, mask=exists[:, None], other=0.0)
    part = tl.reshape(tl.join(first, second), [TILES, 8, 4, 2, 2, 2, 2])
    return tl.reshape(tl.permute(part, (0, 6, 4, 2, 3, 5, 1)), [TILES, 64, 8])


@triton.jit
def products(
    x,
    row,
    exists,
    words,
    scales,
    tile,
    STEPS: tl.constexpr,
    WARPS: tl.constexpr,
    SPLITS: tl.constexpr,
    AT_ONCE: tl.constexpr,
    WAIT: tl.constexpr,
):
    """Tiles of lines times eight rows of x: float32 [WARPS / SPLITS, 16, 8], lines h, g.

    The vectors have an entry for every lane: its warp's `tile`, and the row whose parts it reads,
    if it exists. `SPLITS` warps in turn share the columns of a tile. Each has
    `AT_ONCE` fragments on their way, and with `WAIT` the first ones before the inputs are there.
    """
    part: tl.constexpr = tl.cdiv(STEPS, SPLITS * AT_ONCE) * AT_ONCE
    thread = tl.arange(0, WARPS * 32)
    lane = thread % 32
    first = thread // 32 % SPLITS * part
    fragment = tile.to(tl.int64) * STEPS + first
    words += (fragment * 128 + lane * 4)[:, None] + tl.arange(0, 4)[None, :]
    scales += fragment * 8 + lane // 4
    column = first * 64 + lane % 4 * 8
    part_of_x = x + (row * (STEPS * 64) + column)[:, None] + tl.arange(0, 8)[None, :]
    acc = tl.zeros([WARPS, 16, 8], tl.float32)
    for begin in tl.range(0, part, AT_ONCE, num_stages=1):
        word, scale = (), ()
        for step in tl.static_range(AT_ONCE):
            at = begin + step
            inside = first + at < STEPS
            word += (tl.load(words + at * 128, mask=inside[:, None], other=0),)  # type: ignore[assignment]
            scale += (tl.load(scales + at * 8, mask=inside, other=0),)  # type: ignore[assignment]
        if WAIT:
            wait_for_inputs()
            tl.debug_barrier()  # the compiler would load each one just before its use
        for step in tl.static_range(AT_ONCE):
            at = begin + step
            inside = first + at < STEPS
            weights = decoded(word[step], scale[step], WARPS, False).to(x.dtype.element_ty)
            columns = _rows(part_of_x + at * 64, exists & inside, WARPS)
            acc = tl.dot(weights, columns, acc, input_precision="ieee")
    return tl.sum(tl.reshape(acc, [WARPS // SPLITS, SPLITS, 16, 8]), 1)
