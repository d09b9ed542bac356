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
    shr.b32 {1}, {4}, 3;
    shl.b32 sign, {4}, 7;
    and.b32 {1}, {1}, 0x0E000E00;
    lop3.b32 {1}, {1}, sign, 0x80008000, 0xF8;
    shl.b32 {2}, {4}, 8;
    and.b32 {2}, {2}, 0x8E008E00;
    and.b32 {3}, {4}, 0x8E008E00;"""
"""A word's numbers in pairs (i = 0, 1) for j = 0 to 3."""
_SCALE = "".join(f"mul.rn.f16x2 {{{j}}}, {{{j}}}, {{5}};" for j in range(4))
"""Each pair times its block's scale."""
# Of two words, the first one's before the second's.
_DECODE = tl.constexpr(
    "{ .reg .b32 sign;"
    + _PAIRS.format("$0", "$1", "$2", "$3", "$8")
    + _PAIRS.format("$4", "$5", "$6", "$7", "$9")
    + "}"
)
_DECODE_AND_SCALE = tl.constexpr(
    "{ .reg .b32 sign;"
    + (_PAIRS + _SCALE).format("$0", "$1", "$2", "$3", "$8", "$10")
    + (_PAIRS + _SCALE).format("$4", "$5", "$6", "$7", "$9", "$11")
    + "}"
)


@triton.jit
def in_fragments(column):
    """Where a row whose parts each lane reads at once has `column` [n]: offsets [n]."""
    return column // 32 * 32 + column % 8 // 2 * 8 + column % 32 // 8 * 2 + column % 2


@triton.jit
def _pair_of_byte(word, WHICH: tl.constexpr):
    """What _SPREAD does, for the interpreter and one byte of each uint32: uint32 of one shape."""
    byte = (word >> (8 * WHICH)) & 0xFF
    return (byte << 8) | (byte << 24)


@triton.jit
def _spread(scales):
    """Each of four bytes as the upper byte of both float16 of a pair: four uint32 of one shape."""
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
    """One number of each pair of float16: uint32 [...] to float16 [...]."""
    return ((pair >> (16 * WHICH)) & 0xFFFF).to(tl.uint16).to(tl.float16, bitcast=True)


@triton.jit
def _interpreted_numbers(words):
    """In the interpreter: see _numbers, and mxfp4 for where a word has them."""
    number = tl.reshape(tl.arange(0, 8).to(tl.uint32), [2, 2, 2, 1])  # i, j % 2, j // 2
    half, odd = number // 2 * 8, number % 2
    code, sign = half + 4 - 3 * odd, half + 7 * odd
    for _ in tl.static_range(3):
        words = tl.expand_dims(words, -2)
    bits = ((words >> code) & 7) << 9 | ((words >> sign) & 1) << 15
    return bits.to(tl.uint16).to(tl.float16, bitcast=True)


@triton.jit
def _joined(a, b, c, d, e, f, g, h):
    """Numbers [..., i] for j = 0 to 3 of two words as one tensor [..., i, j % 2, j // 2, word]."""
    first = tl.join(tl.join(a, b), tl.join(c, d))
    second = tl.join(tl.join(e, f), tl.join(g, h))
    return tl.join(first, second)


@triton.jit
def _numbers(words):
    """The numbers of words [..., 2]: float16 [..., i, j % 2, j // 2, word].

    2^-14 times too small, see mxfp4. The two words must be beside each other in a lane's registers.
    """
    if INTERPRETED:
        return _interpreted_numbers(words)
    a, b, c, d, e, f, g, h = tl.inline_asm_elementwise(
        _DECODE, "=&r,=&r,=&r,=&r,=&r,=&r,=&r,=&r,r,r", [words],
        dtype=(tl.float16,) * 8, is_pure=True, pack=2,
    )  # fmt: skip
    return _joined(a, b, c, d, e, f, g, h)


@triton.jit
def _scaled_numbers(words, scales):
    """The same, each times its block's scale [..., 2], which makes good for the factor."""
    if INTERPRETED:
        scale = _half(scales, 0)
        for _ in tl.static_range(3):
            scale = tl.expand_dims(scale, -2)
        return _interpreted_numbers(words) * scale
    a, b, c, d, e, f, g, h = tl.inline_asm_elementwise(
        _DECODE_AND_SCALE, "=&r,=&r,=&r,=&r,=&r,=&r,=&r,=&r,r,r,r,r", [words, scales],
        dtype=(tl.float16,) * 8, is_pure=True, pack=2,
    )  # fmt: skip
    return _joined(a, b, c, d, e, f, g, h)


@triton.jit
def decoded(word, scales, TILES: tl.constexpr, IN_ORDER: tl.constexpr):
    """Fragments of several tiles as numbers, float16 [TILES, 16, 64]; lines h, g.

    `word` is uint32 [TILES * 32, 4], `scales` uint32 [TILES * 32] has four bytes, one for each
    word. Columns are in their order, or in that of `_rows`.
    """
    s00, s01, s10, s11 = _spread(scales)
    scale = tl.join(tl.join(s00, s10), tl.join(s01, s11))
    shape: tl.constexpr = [TILES, 8, 4, 2, 2]  # g, c, h, b
    number = _scaled_numbers(tl.reshape(word, shape), tl.reshape(scale, shape))
    if IN_ORDER:
        return tl.reshape(tl.permute(number, (0, 3, 1, 7, 6, 5, 2, 4)), [TILES, 16, 64])
    return tl.reshape(tl.permute(number, (0, 3, 1, 7, 5, 2, 6, 4)), [TILES, 16, 64])


@triton.jit
def _rows(x_ptr, exists, TILES: tl.constexpr):
    """64 columns of eight rows for each tile, [TILES, 64, 8].

    `x_ptr` [TILES * 32, 8] is where each lane (row, c) has its part of the first block, see
    in_fragments.
    Columns are b, j % 2, c, j // 2, i, so that an instruction takes j = 0 and 1, or 2 and 3, of a
    row: registers beside each other.
    """
    first = tl.load(x_ptr, mask=exists[:, None], other=0.0)
    second = tl.load(x_ptr + 32, mask=exists[:, None], other=0.0)
    part = tl.reshape(tl.join(first, second), [TILES, 8, 4, 2, 2, 2, 2])
    return tl.reshape(tl.permute(part, (0, 6, 4, 2, 3, 5, 1)), [TILES, 64, 8])


@triton.jit
def _block(words, TILES: tl.constexpr):
    """A block of each line of several tiles, unscaled: float16 [TILES, 16, 32]; lines h, g.

    `words` is uint32 [TILES, 8, 4, 2]: g, c, h. Columns are j % 2, c, j // 2, i.
    """
    number = _numbers(words)  # g, c, i, j % 2, j // 2, h
    return tl.reshape(tl.permute(number, (0, 6, 1, 4, 2, 5, 3)), [TILES, 16, 32])


@triton.jit
def _scales_of_lines(scales, TILES: tl.constexpr):
    """Scales of eight blocks for each tile, float32 [TILES, 16, 8]; lines h, g.

    `scales` uint32 [TILES * 32] has in lane (g, c) the bytes (h, b) of the c-th two blocks.
    """
    s00, s01, s10, s11 = _spread(scales)
    scale = tl.join(tl.join(_half(s00, 0), _half(s01, 0)), tl.join(_half(s10, 0), _half(s11, 0)))
    scale = tl.reshape(scale, [TILES, 8, 4, 2, 2])  # g, c, b, h
    return tl.reshape(tl.permute(scale, (0, 4, 1, 2, 3)), [TILES, 16, 8]).to(tl.float32)


@triton.jit
def _eight_blocks(x_ptr, step, steps):
    """What each lane at `x_ptr` [lanes] has of a row from fragment `step` on: [lanes, 8].

    Zeros after `steps`.
    """
    at = (x_ptr + step * 64)[:, None] + tl.arange(0, 8)[None, :]
    return tl.load(at, mask=(step < steps)[:, None], other=0.0)


@triton.jit
def row_products(
    x_ptr,
    words_ptr,
    scales_ptr,
    tile,
    STEPS: tl.constexpr,
    WARPS: tl.constexpr,
    SPLITS: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    """Tiles of lines times one row each: float32 [WARPS / SPLITS, 16, 8], to be added up over 8.

    As `products`, with the place of each lane's row in x_ptr [WARPS * 32]. The instruction has
    eight columns for rows, which get eight blocks of the one row instead: of a block's products
    with them, one is wanted. So a row's part is read once, not for each fragment, and a block's sum
    comes out by itself: it is scaled, not each of its weights. `AT_ONCE` is a multiple of 4, the
    fragments that have eight blocks.
    """
    part: tl.constexpr = tl.cdiv(STEPS, SPLITS * AT_ONCE) * AT_ONCE
    thread = tl.arange(0, WARPS * 32)
    lane = thread % 32
    first = thread // 32 % SPLITS * part
    fragment = tile.to(tl.int64) * STEPS + first
    words_ptr += (fragment * 128 + lane * 4)[:, None] + tl.arange(0, 4)[None, :]
    scales_ptr += (fragment + lane % 4) * 8 + lane // 4
    x_ptr += first * 64 + lane // 4 * 32 + lane % 4 * 8
    column = tl.arange(0, 8)[None, None, :]
    total = tl.zeros([WARPS, 16, 8], tl.float32)
    for begin in tl.range(0, part, AT_ONCE, num_stages=1):
        word, scale, later = (), (), ()
        for step in tl.static_range(AT_ONCE):
            at = begin + step
            inside = first + at < STEPS
            word += (tl.load(words_ptr + at * 128, mask=inside[:, None], other=0),)  # type: ignore[assignment]
        for step in tl.static_range(0, AT_ONCE, 4):
            at = begin + step
            inside = first + at + lane % 4 < STEPS
            scale += (tl.load(scales_ptr + at * 8, mask=inside, other=0),)  # type: ignore[assignment]
        wait_for_inputs()
        left = STEPS - first - lane // 8
        for step in tl.static_range(4, AT_ONCE, 4):
            later += (_eight_blocks(x_ptr, begin + step, left),)  # type: ignore[assignment]
        # The compiler would load each just before its use, and drop a barrier that no load follows.
        tl.debug_barrier()
        rows = (_eight_blocks(x_ptr, begin, left),) + later  # noqa: RUF005 (Triton has no asterisk)
        for group in tl.static_range(AT_ONCE // 4):
            columns = tl.reshape(rows[group], [WARPS, 8, 4, 2, 2, 2])  # g, c, j // 2, j % 2, i
            columns = tl.reshape(tl.permute(columns, (0, 4, 2, 3, 5, 1)), [WARPS, 32, 8])
            by = _scales_of_lines(scale[group], WARPS)
            for step in tl.static_range(4):
                both = tl.split(tl.reshape(word[4 * group + step], [WARPS, 8, 4, 2, 2]))
                for which in tl.static_range(2):
                    weights = _block(both[which], WARPS).to(x_ptr.dtype.element_ty)
                    of_all = tl.dot(weights, columns, input_precision="ieee")
                    total = tl.where(column == 2 * step + which, total + of_all * by, total)
    return tl.sum(tl.reshape(total, [WARPS // SPLITS, SPLITS, 16, 8]), 1)


@triton.jit
def products(
    x_ptr,
    row,
    exists,
    words_ptr,
    scales_ptr,
    tile,
    STEPS: tl.constexpr,
    WARPS: tl.constexpr,
    SPLITS: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    """Tiles of lines times eight rows of x_ptr: float32 [WARPS / SPLITS, 16, 8], lines h, g.

    The vectors have an entry for every lane: its warp's `tile`, and the row whose parts it reads,
    if it exists. `SPLITS` warps in turn share the columns of a tile. Each has
    `AT_ONCE` fragments on their way.
    """
    part: tl.constexpr = tl.cdiv(STEPS, SPLITS * AT_ONCE) * AT_ONCE
    thread = tl.arange(0, WARPS * 32)
    lane = thread % 32
    first = thread // 32 % SPLITS * part
    fragment = tile.to(tl.int64) * STEPS + first
    words_ptr += (fragment * 128 + lane * 4)[:, None] + tl.arange(0, 4)[None, :]
    scales_ptr += fragment * 8 + lane // 4
    column = first * 64 + lane % 4 * 8
    part_of_x_ptr = x_ptr + (row * (STEPS * 64) + column)[:, None] + tl.arange(0, 8)[None, :]
    acc = tl.zeros([WARPS, 16, 8], tl.float32)
    for begin in tl.range(0, part, AT_ONCE, num_stages=1):
        word, scale = (), ()
        for step in tl.static_range(AT_ONCE):
            at = begin + step
            inside = first + at < STEPS
            word += (tl.load(words_ptr + at * 128, mask=inside[:, None], other=0),)  # type: ignore[assignment]
            scale += (tl.load(scales_ptr + at * 8, mask=inside, other=0),)  # type: ignore[assignment]
        for step in tl.static_range(AT_ONCE):
            at = begin + step
            inside = first + at < STEPS
            weights = decoded(word[step], scale[step], WARPS, False).to(x_ptr.dtype.element_ty)
            columns = _rows(part_of_x_ptr + at * 64, exists & inside, WARPS)
            acc = tl.dot(weights, columns, acc, input_precision="ieee")
    return tl.sum(tl.reshape(acc, [WARPS // SPLITS, SPLITS, 16, 8]), 1)
