"""Weights of eight bits as the fragments that the tensor cores' instructions take.

A fragment is 16 lines by 32 columns, a block of each line, 512 bytes: four words for each lane of a
warp, which reads them at once. Line 2 g + h and the columns 8 c to 8 c + 7 are in lane 4 g + c, in
the words 2 h and 2 h + 1; see int8.py. Decoded, a lane has what two instructions mma.m16n8k16
want of it (PTX ISA, matrix fragments). Rows have their columns in order: a lane's eight are beside
each other there too.
"""

import triton
import triton.language as tl

from bot.inference.engines.gptoss.kernels.launch import INTERPRETED, wait_for_inputs

_PAIRS = """
    prmt.b32 {0}, {2}, exponent, 0x4140;
    prmt.b32 {1}, {2}, exponent, 0x4342;
    sub.rn.f16x2 {0}, {0}, bias;
    sub.rn.f16x2 {1}, {1}, bias;"""
"""A word's bytes as float16 from 1024 to 1279, less 1152."""
_BEGIN = "{ .reg .b32 exponent, bias; mov.b32 exponent, 0x64646464; mov.b32 bias, 0x64806480;"
_DECODE = tl.constexpr(
    _BEGIN + _PAIRS.format("$0", "$1", "$4") + _PAIRS.format("$2", "$3", "$5") + "}"
)
_DECODE_AND_SCALE = tl.constexpr(
    _BEGIN
    + _PAIRS.format("$0", "$1", "$4")
    + _PAIRS.format("$2", "$3", "$5")
    + "".join(f"mul.rn.f16x2 ${i}, ${i}, $6;" for i in range(4))
    + "}"
)


@triton.jit
def _interpreted_numbers(words):
    """In the interpreter: see _numbers."""
    number = tl.reshape(tl.arange(0, 4), [2, 2, 1])  # i, j
    byte = 2 * (number % 2) + number // 2
    words = tl.expand_dims(tl.expand_dims(words, -2), -2)
    return (((words >> (8 * byte).to(tl.uint32)) & 255).to(tl.int32) - 128).to(tl.float16)


@triton.jit
def _numbers(words):
    """The numbers of words [..., 2], unscaled: float16 [..., i, j, word]; i changes first.

    The two words must be beside each other in a lane's registers.
    """
    if INTERPRETED:
        return _interpreted_numbers(words)
    a, b, c, d = tl.inline_asm_elementwise(
        _DECODE, "=&r,=&r,=&r,=&r,r,r", [words], dtype=(tl.float16,) * 4, is_pure=True, pack=2
    )
    return tl.join(tl.join(a, b), tl.join(c, d))


@triton.jit
def _scaled_numbers(words, scales):
    """The same, each times its block's scale, float16 [..., 2], twice the same."""
    if INTERPRETED:
        scales = tl.expand_dims(tl.expand_dims(scales, -2), -2)
        return _interpreted_numbers(words) * scales
    a, b, c, d = tl.inline_asm_elementwise(
        _DECODE_AND_SCALE, "=&r,=&r,=&r,=&r,r,r,r", [words, scales],
        dtype=(tl.float16,) * 4, is_pure=True, pack=2,
    )  # fmt: skip
    return tl.join(tl.join(a, b), tl.join(c, d))


@triton.jit
def _weights(number, TILES: tl.constexpr):
    """From _numbers [TILES, g, c, h, i, j, word] to a matrix [TILES, 16, 32]; lines h, g.

    Columns are word, c, j, i: an instruction takes those of one word, four beside each other.
    """
    return tl.reshape(tl.permute(number, (0, 3, 1, 6, 2, 5, 4)), [TILES, 16, 32])


@triton.jit
def _scaled(words, scales, TILES: tl.constexpr):
    """_scaled_numbers [TILES, g, c, h, i, j, word] of several tiles.

    `words` uint32 [TILES * 32, 4], `scales` float16 [TILES * 32, 2] those of a lane's two lines.
    """
    words = tl.reshape(words, [TILES, 8, 4, 2, 2])
    scales = tl.expand_dims(tl.reshape(scales, [TILES, 8, 4, 2]), -1)
    return _scaled_numbers(words, tl.broadcast_to(scales, [TILES, 8, 4, 2, 2]))


@triton.jit
def scaled_weights(words, scales, TILES: tl.constexpr):
    """The same as matrices float16 [TILES, 16, 32], see _weights."""
    return _weights(_scaled(words, scales, TILES), TILES)


@triton.jit
def scaled_lines(words, scales, TILES: tl.constexpr):
    """The same as what each lane has of its two lines, columns in order: [TILES * 32, 2, 8]."""
    number = _scaled(words, scales, TILES)
    return tl.reshape(tl.permute(number, (0, 1, 2, 3, 6, 5, 4)), [TILES * 32, 2, 8])


@triton.jit
def _columns(part, TILES: tl.constexpr, GROUPS: tl.constexpr):
    """A block of some eights of rows for each tile: [TILES, 32, 8 GROUPS], columns as _weights'.

    `part` [TILES * 32, 8, GROUPS or nothing] is what each lane (row, c) has of each eight.
    """
    if GROUPS == 1:
        part = tl.reshape(part, [TILES, 8, 4, 2, 2, 2])  # row, c, word, j, i
        return tl.reshape(tl.permute(part, (0, 3, 2, 4, 5, 1)), [TILES, 32, 8])
    else:  # noqa: RET505 (the compiler wants one return or the other)
        part = tl.reshape(part, [TILES, 8, 4, 2, 2, 2, GROUPS])
        return tl.reshape(tl.permute(part, (0, 3, 2, 4, 5, 6, 1)), [TILES, 32, 8 * GROUPS])


@triton.jit
def _rows(x_ptr, row, count, stride, inside, GROUPS: tl.constexpr):
    """What each lane has of GROUPS eights of rows: [lanes, 8, GROUPS or nothing].

    `row` [lanes] is a lane's row of the first eight, of `count` there are.
    """
    at = (x_ptr + row * stride)[:, None] + tl.arange(0, 8)[None, :]
    rows = ()
    for group in tl.static_range(GROUPS):
        exists = (inside & (row + 8 * group < count))[:, None]
        rows += (tl.load(at + 8 * group * stride, mask=exists, other=0.0),)  # type: ignore[assignment]
    if GROUPS == 1:
        part = rows[0]  # type: ignore[misc]
    elif GROUPS == 2:
        part = tl.join(rows[0], rows[1])  # type: ignore[misc]
    else:
        both = tl.join(rows[0], rows[2]), tl.join(rows[1], rows[3])  # type: ignore[misc]
        part = tl.reshape(tl.join(both[0], both[1]), [row.shape[0], 8, 4])
    return part


@triton.jit
def products(
    x_ptr,
    first_row,
    count,
    words_ptr,
    scales_ptr,
    tile,
    BLOCKS: tl.constexpr,
    SPLITS: tl.constexpr,
    AT_ONCE: tl.constexpr,
    GROUPS: tl.constexpr,
):
    """A tile of lines times rows: float32 [16, 8 GROUPS], lines h, g.

    `x` is [count, BLOCKS * 32], of which these are the rows from `first_row` on. SPLITS warps share
    the columns; each has AT_ONCE fragments on their way. Waits for x, and only for x.
    """
    part: tl.constexpr = tl.cdiv(BLOCKS, SPLITS * AT_ONCE) * AT_ONCE
    thread = tl.arange(0, SPLITS * 32)
    lane = thread % 32
    first = thread // 32 * part
    fragment = tile.to(tl.int64) * BLOCKS + first
    words_ptr += (fragment * 128 + lane * 4)[:, None] + tl.arange(0, 4)[None, :]
    scales_ptr += (fragment * 16 + lane // 4 * 2)[:, None] + tl.arange(0, 2)[None, :]
    row = first_row + lane // 4
    x_ptr += first * 32 + lane % 4 * 8
    acc = tl.zeros([SPLITS, 16, 8 * GROUPS], tl.float32)
    for begin in tl.range(0, part, AT_ONCE, num_stages=1):
        word, scale = (), ()
        for step in tl.static_range(AT_ONCE):
            inside = (first + begin + step < BLOCKS)[:, None]
            word += (tl.load(words_ptr + (begin + step) * 128, mask=inside, other=0),)  # type: ignore[assignment]
            scale += (tl.load(scales_ptr + (begin + step) * 16, mask=inside, other=0.0),)  # type: ignore[assignment]
        wait_for_inputs()
        tl.debug_barrier()  # the compiler would load each one just before its use
        for step in tl.static_range(AT_ONCE):
            at = begin + step
            weights = scaled_weights(word[step], scale[step], SPLITS).to(x_ptr.dtype.element_ty)
            rows = _rows(x_ptr + at * 32, row, count, BLOCKS * 32, first + at < BLOCKS, GROUPS)
            columns = _columns(rows, SPLITS, GROUPS)
            acc = tl.dot(weights, columns, acc, input_precision="ieee")
    return tl.sum(acc, 0)


@triton.jit
def row_products(
    x_ptr,
    norm_ptr,
    words_ptr,
    scales_ptr,
    tile,
    epsilon,
    NORM: tl.constexpr,
    BLOCKS: tl.constexpr,
    WARPS: tl.constexpr,
):
    """A tile of lines times one row, RMS-normed with NORM: float32 [16], lines h, g.

    WARPS share the columns. The instruction has eight columns for rows, which get eight blocks of
    the one row instead: see fragments.row_products. Waits for x, and only for x.
    """
    part: tl.constexpr = (BLOCKS + 8 * WARPS - 1) // (8 * WARPS) * 8
    thread = tl.arange(0, WARPS * 32)
    lane = thread % 32
    first = thread // 32 * part
    fragment = tile.to(tl.int64) * BLOCKS + first
    words_ptr += (fragment * 128 + lane * 4)[:, None] + tl.arange(0, 4)[None, :]
    scales_ptr += ((fragment + lane % 4 * 2) * 16 + lane // 4 * 2)[:, None]
    scales_ptr += tl.arange(0, 2)[None, :]
    own = first + lane // 4
    at = (own * 32 + lane % 4 * 8)[:, None] + tl.arange(0, 8)[None, :]
    word, scale, norms, values = (), (), (), ()
    for step in tl.static_range(part):
        inside = (first + step < BLOCKS)[:, None]
        word += (tl.load(words_ptr + step * 128, mask=inside, other=0),)  # type: ignore[assignment]
    for step in tl.static_range(0, part, 8):
        block = first + step + lane % 4 * 2
        a = tl.load(scales_ptr + step * 16, mask=(block < BLOCKS)[:, None], other=0.0)
        b = tl.load(scales_ptr + step * 16 + 16, mask=(block + 1 < BLOCKS)[:, None], other=0.0)
        scale += (tl.join(a, b),)  # type: ignore[assignment]
        if NORM:
            inside = (own + step < BLOCKS)[:, None]
            norms += (tl.load(norm_ptr + at + step * 32, mask=inside, other=0.0),)  # type: ignore[assignment]
    wait_for_inputs()
    for step in tl.static_range(0, part, 8):
        inside = (own + step < BLOCKS)[:, None]
        values += (tl.load(x_ptr + at + step * 32, mask=inside, other=0.0),)  # type: ignore[assignment]
    tl.debug_barrier()  # the compiler would load each one just before its use
    factor = 1.0
    if NORM:
        squares = tl.zeros([WARPS * 32, 8], tl.float32)
        for group in tl.static_range(part // 8):
            squares += values[group] * values[group]
        factor = tl.rsqrt(tl.sum(squares) / (BLOCKS * 32) + epsilon)
    column = tl.arange(0, 8)[None, None, :]
    total = tl.zeros([WARPS, 16, 8], tl.float32)
    for group in tl.static_range(part // 8):
        value = values[group]  # type: ignore[var-annotated]
        if NORM:
            value = (value * factor * norms[group].to(tl.float32)).to(tl.float16)  # type: ignore[attr-defined]
        columns = _columns(value, WARPS, 1)
        by = tl.reshape(scale[group], [WARPS, 8, 4, 2, 2])  # g, c, h, b
        by = tl.reshape(tl.permute(by, (0, 3, 1, 2, 4)), [WARPS, 16, 8]).to(tl.float32)
        for step in tl.static_range(8):
            number = _numbers(tl.reshape(word[8 * group + step], [WARPS, 8, 4, 2, 2]))
            weights = _weights(number, WARPS).to(columns.dtype)
            of_all = tl.dot(weights, columns, input_precision="ieee")
            total = tl.where(column == step, total + of_all * by, total)
    return tl.sum(tl.sum(total, 2), 0)
