"""MXFP4 weights, and the order of bits that the kernels read them in.

A block is 32 numbers of 4 bits (e2m1: sign, two bits of exponent, one of mantissa) with one scale
of 8 bits (e8m0: a power of two with bias 127); see the OCP Microscaling Formats specification 1.0,
sections 5.3 and 5.4. Checkpoints put two numbers in a byte, the earlier in the low nibble.

Kernels read words of eight numbers, in another order made once by `pack`. Half i of a word has
the numbers 8 j + 2 c + i of a block, for j = 0 to 3 and a c of its own:

    bit    15  14-12  11-9   8   7   6-4  3-1   0
    of j    3    1     3     1   2    0    2    0     signs at 15, 8, 7 and 0

Shifted so that its sign is bit 15 and the rest bits 11 to 9, a number is a float16 that is 2^-14
times too small: the exponents' biases are 1 and 15, and e2m1's numbers below 1 are float16's
subnormal ones. Scales make good for it. They are the upper bytes of float16, relative to the
greatest one of the layer: blocks 2^23 times smaller than the greatest lose their last bits.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 32
VALUES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""What the three bits below the sign mean."""


@dataclass(frozen=True)
class Mxfp4:
    """Weights of every expert in fragments, see kernels/fragments.py.

    `words` are uint32 [experts, rows / 16, columns / 64, 32 lanes, 4], `scales` uint32 [experts,
    rows / 16, columns / 64, 8]; numbers are `unit` times what the two give.
    """

    words: Tensor
    scales: Tensor
    unit: float

    @property
    def rows(self) -> int:
        return self.words.shape[1] * 16

    @property
    def columns(self) -> int:
        return self.steps * 64

    @property
    def steps(self) -> int:
        """Fragments beside each other in a row."""
        return self.words.shape[2]


def pack(blocks: Tensor, scales: Tensor) -> Mxfp4:
    """From a checkpoint's `blocks` uint8 [experts, rows, columns / 32, 16] and `scales`.

    Rows must be a multiple of 16, columns of 64. `blocks` is overwritten: at no time are there two
    copies of the weights.
    """
    experts, rows, per_row, _ = blocks.shape
    tiles, steps = rows // 16, per_row // 2
    for expert in blocks:
        number = expert.view(tiles, 8, 2, steps, 2, 4, 4)  # g, h, step, b, j, c; i is the nibble
        halves = torch.stack((number & 15, number >> 4))
        low, high = halves[..., :2, :], halves[..., 2:, :]  # j = 0 and 1, 2 and 3
        byte = (low & 8) >> 3 | (low & 7) << 4 | (high & 7) << 1 | (high & 8) << 4
        word = byte.permute(1, 4, 2, 7, 3, 5, 0, 6)  # tile, step, g, c, h, b, then i and j
        expert.copy_(word.reshape(expert.shape))
    greatest = int(scales.max())
    exponent = (scales.int() - greatest + 29).clamp(0).to(torch.uint8) << 2
    exponent = exponent.view(experts, tiles, 8, 2, steps, 2).permute(0, 1, 4, 2, 3, 5)
    return Mxfp4(
        words=blocks.view(torch.uint32).view(experts, tiles, steps, 32, 4),
        scales=exponent.reshape(experts, tiles, steps, 8, 4).view(torch.uint32).squeeze(-1),
        unit=2.0 ** (greatest - 127),
    )


def dequantize(blocks: Tensor, scales: Tensor) -> Tensor:
    """The numbers that a checkpoint's blocks stand for, float32 [experts, rows, columns]."""
    table = torch.tensor([*VALUES, *(-value for value in VALUES)], device=blocks.device)
    codes = torch.stack((blocks & 15, blocks >> 4), dim=-1).flatten(-2)
    powers = torch.exp2(scales.float() - 127)
    return (table[codes.int()] * powers.unsqueeze(-1)).flatten(2)
