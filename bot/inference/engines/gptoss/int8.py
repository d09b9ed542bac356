"""Weights of eight bits: blocks of 32 numbers with a scale of their own, in fragments.

A number is its block's scale times a whole number from -127 to 127, the scale the 127th part of the
block's greatest. Normally distributed weights are off by 0.54 % of their size.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 32
SLAB = 4096
"""Lines that are quantized at once, so that memory has no second copy of the whole."""


@dataclass(frozen=True)
class Int8:
    """A matrix of `lines` by `columns`, see kernels/eight_bits.py for its order.

    `words` are uint32 [lines / 16, columns / 32, 32 lanes, 4], four bytes each, which are 128 too
    great; `scales` float16 [lines / 16, columns / 32, 16], `unit` what they are multiples of.
    """

    words: Tensor
    scales: Tensor
    unit: float

    @property
    def lines(self) -> int:
        return self.words.shape[0] * 16

    @property
    def blocks(self) -> int:
        """Fragments beside each other in a line."""
        return self.words.shape[1]

    @property
    def columns(self) -> int:
        return self.blocks * BLOCK


def rounded(weight: Tensor) -> tuple[Tensor, Tensor, float]:
    """The nearest whole numbers int8 [lines, blocks, 32], scales [lines, blocks] and their unit.

    Lines must be a multiple of 16, columns of 32.
    """
    lines, columns = weight.shape
    greatest = torch.stack((weight.amax(), -weight.amin())).max()
    unit = max(float(greatest) / 127, 1e-30)
    numbers = torch.empty(lines, columns // BLOCK, BLOCK, dtype=torch.int8, device=weight.device)
    scales = torch.empty(lines, columns // BLOCK, dtype=torch.float16, device=weight.device)
    for begin in range(0, lines, SLAB):
        slab = weight[begin : begin + SLAB].float().view(-1, columns // BLOCK, BLOCK) / unit
        scale = (slab.abs().amax(-1) / 127).half()
        divisor = scale.float().clamp(min=torch.finfo(torch.float16).smallest_normal / 1024)
        numbers[begin : begin + SLAB] = (slab / divisor[..., None]).round().clamp(-127, 127)
        scales[begin : begin + SLAB] = scale
    return numbers, scales, unit


def to_int8(weight: Tensor) -> Int8:
    """`weight` [lines, columns] in eight bits, in the order that the kernels read."""
    numbers, scales, unit = rounded(weight)
    lines, blocks, _ = numbers.shape
    tiles = lines // 16
    number = (numbers.view(torch.uint8) ^ 128).view(tiles, 8, 2, blocks, 4, 8)  # g, h, block, c
    words = torch.empty(tiles, blocks, 8, 4, 2, 8, dtype=torch.uint8, device=weight.device)
    words.copy_(number.permute(0, 3, 1, 4, 2, 5))
    return Int8(
        words=words.view(torch.uint32).view(tiles, blocks, 32, 4),
        scales=scales.view(tiles, 16, blocks).transpose(1, 2).contiguous(),
        unit=unit,
    )
