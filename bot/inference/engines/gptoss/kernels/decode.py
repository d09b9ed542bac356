"""Numbers of 4 bits, in the order of mxfp4.pack, to float16: four bytes at once.

Left to itself the compiler takes every byte into a register of its own, some 8 instructions a
number; the assembly takes 9 for the eight numbers of a word (PTX ISA, sections 9.7.8 and 9.7.9,
logic and data movement). The interpreter, which has none, takes the longer way.
"""

import triton
import triton.language as tl

from bot.inference.engines.gptoss.kernels.half2 import INTERPRETED

# prmt puts two bytes of a word into the upper bytes of a pair: a float16 with a byte of zeros below
_BOTH_OF_FOUR = tl.constexpr("""{
    .reg .b32 early, late, sign;
    shr.b32 early, $4, 3;
    and.b32 early, early, 0x0E0E0E0E;
    shl.b32 sign, $4, 7;
    and.b32 sign, sign, 0x80808080;
    or.b32 early, early, sign;
    prmt.b32 $0, early, 0, 0x1404;
    prmt.b32 $1, early, 0, 0x3424;
    and.b32 late, $4, 0x8E8E8E8E;
    prmt.b32 $2, late, 0, 0x1404;
    prmt.b32 $3, late, 0, 0x3424;
    }""")


@triton.jit
def _as_float16(e5m2):
    return (e5m2.to(tl.uint16) << 8).to(tl.float16, bitcast=True)


@triton.jit
def early_and_late(codes):
    """Of bytes: the earlier and the later numbers, float16, each 2^-14 times too small."""
    if INTERPRETED:
        early = _as_float16(((codes >> 3) & 0x0E) | ((codes << 7) & 0x80))
        return early, _as_float16(codes & 0x8E)
    return tl.inline_asm_elementwise(
        _BOTH_OF_FOUR, "=&r,=&r,=&r,=&r,r", [codes],
        dtype=(tl.float16, tl.float16), is_pure=True, pack=4,
    )  # fmt: skip
