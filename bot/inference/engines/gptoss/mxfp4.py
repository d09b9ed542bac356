"""MXFP4 weights, and the order of bits that the kernels read them in.

A block is 32 numbers of 4 bits (e2m1: sign, two bits of exponent, one of mantissa) with one scale
of 8 bits (e8m0: a power of two with bias 127); see the OCP Microscaling Formats specification 1.0,
sections 5.3 and 5.4. Checkpoints put two numbers in a byte, the earlier in the low nibble:

    S E E M s e e m      earlier number s e e m, later number S E E M

Kernels read them in another order, made once by `pack`:

    S e e m E E M s

`byte & 0x8E` is then the later number in the format e5m2, and `(byte >> 3 & 0x0E) | (byte << 7 &
0x80)` the earlier one, each 2^-14 times too small: the exponents' biases are 1 and 15, and e2m1's
numbers below 1 are e5m2's subnormal ones. With a byte of zeros behind it, e5m2 is float16.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 32
VALUES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""What the three bits below the sign mean."""


@dataclass(frozen=True)
class Mxfp4:
    """Weights of every expert: `codes` uint8 [experts, rows, columns / 2] in the kernels' order.

    `scales` are uint8 [experts, rows, columns / 32]; `base` is the greatest of them.
    """

    codes: Tensor
    scales: Tensor
    base: int

    @property
    def rows(self) -> int:
        return self.codes.shape[1]

    @property
    def columns(self) -> int:
        return 2 * self.codes.shape[2]


def pack(blocks: Tensor, scales: Tensor) -> Mxfp4:
    """From a checkpoint's `blocks` uint8 [experts, rows, columns / 32, 16] and `scales`.

    `blocks` is overwritten: at no time are there two copies of the weights.
    """
    for expert in blocks:
        early_sign = (expert & 0x08) >> 3
        early = (expert & 0x07) << 4
        late = (expert & 0x70) >> 3
        expert.bitwise_and_(0x80).bitwise_or_(early).bitwise_or_(late).bitwise_or_(early_sign)
    return Mxfp4(blocks.flatten(2), scales.contiguous(), int(scales.max()))


def dequantize(blocks: Tensor, scales: Tensor) -> Tensor:
    """The numbers that a checkpoint's blocks stand for, float32 [experts, rows, columns]."""
    table = torch.tensor([*VALUES, *(-value for value in VALUES)], device=blocks.device)
    codes = torch.stack((blocks & 15, blocks >> 4), dim=-1).flatten(-2)
    powers = torch.exp2(scales.float() - 127)
    return (table[codes.int()] * powers.unsqueeze(-1)).flatten(2)
