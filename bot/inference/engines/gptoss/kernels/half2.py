"""Pairs of float16 in 32-bit words, on which one instruction works at once.

The compiler does not find these instructions by itself, hence the assembly (PTX ISA, section 9.7.4,
half precision floating point). The interpreter, which has none, takes the longer way.
"""

import os

import triton
import triton.language as tl

INTERPRETED = tl.constexpr(os.environ.get("TRITON_INTERPRET") == "1")


@triton.jit
def _low(pair):
    return (pair & 0xFFFF).to(tl.uint16).to(tl.float16, bitcast=True).to(tl.float32)


@triton.jit
def _high(pair):
    return (pair >> 16).to(tl.uint16).to(tl.float16, bitcast=True).to(tl.float32)


@triton.jit
def _pair(low, high):
    low = low.to(tl.float16).to(tl.uint16, bitcast=True).to(tl.uint32)
    high = high.to(tl.float16).to(tl.uint16, bitcast=True).to(tl.uint32)
    return low | (high << 16)


@triton.jit
def multiply(a, b):
    """a * b in both halves."""
    if INTERPRETED:
        return _pair(_low(a) * _low(b), _high(a) * _high(b))
    return tl.inline_asm_elementwise(
        "mul.rn.f16x2 $0, $1, $2;", "=r,r,r", [a, b], dtype=tl.uint32, is_pure=True, pack=1
    )


@triton.jit
def multiply_add(a, b, c):
    """a * b + c in both halves."""
    if INTERPRETED:
        return _pair(_low(a) * _low(b) + _low(c), _high(a) * _high(b) + _high(c))
    return tl.inline_asm_elementwise(
        "fma.rn.f16x2 $0, $1, $2, $3;", "=r,r,r,r", [a, b, c],
        dtype=tl.uint32, is_pure=True, pack=1,
    )  # fmt: skip


@triton.jit
def total(pair):
    """The two halves' sum, float32."""
    if INTERPRETED:
        return _low(pair) + _high(pair)
    return tl.inline_asm_elementwise(
        """{
        .reg .b16 low, high;
        .reg .f32 a, b;
        mov.b32 {low, high}, $1;
        cvt.f32.f16 a, low;
        cvt.f32.f16 b, high;
        add.f32 $0, a, b;
        }""",
        "=f,r", [pair], dtype=tl.float32, is_pure=True, pack=1,
    )  # fmt: skip
