import torch
from torch import Tensor

from bot.inference.engines.gptoss.mxfp4 import VALUES, Mxfp4, dequantize, pack

ONE = torch.full((1, 1, 16), 127, dtype=torch.uint8)


def test_the_low_nibble_is_the_earlier_number() -> None:
    numbers = dequantize(torch.full((1, 1, 1, 16), 0xA7, dtype=torch.uint8), ONE[..., :1])
    assert numbers.flatten()[:2].tolist() == [6.0, -1.0]


def test_a_scale_is_a_power_of_two_for_32_numbers() -> None:
    scales = torch.tensor([[[127, 130]]], dtype=torch.uint8)
    numbers = dequantize(torch.full((1, 1, 2, 16), 0x22, dtype=torch.uint8), scales)
    assert numbers.flatten().tolist() == [1.0] * 32 + [8.0] * 32


def numbers_of(packed: Mxfp4) -> Tensor:
    """By the book: see pack and kernels/fragments.py."""
    words = packed.words.view(torch.int32).long()  # experts, tiles, steps, lanes, 4
    shapes = words.shape[:3]
    numbers = []
    for sign, rest in ((0, 4), (8, 12), (7, 1), (15, 9)):  # j = 0 to 3
        for i in range(2):
            half = words >> 16 * i
            code = (half >> rest & 7).int()
            numbers.append(torch.tensor(VALUES)[code] * (1 - 2 * (half >> sign & 1)))
    number = torch.stack(numbers, dim=-1).view(*shapes, 8, 4, 2, 2, 4, 2)  # g, c, h, b, j, i
    scales = packed.scales.view(torch.uint8).view(*shapes, 8, 1, 2, 2, 1, 1)  # g, h, b
    powers = torch.exp2((scales.int() >> 2) - 29.0)
    ordered = (number * powers).permute(0, 1, 3, 5, 2, 6, 7, 4, 8)  # tile, g, h, step, b, j, c, i
    return ordered.reshape(shapes[0], packed.rows, packed.columns) * packed.unit


def test_packed_numbers_are_the_same_for_every_byte() -> None:
    blocks = torch.arange(256, dtype=torch.uint8).repeat(8).view(1, 16, 8, 16)
    blocks[:, 3] = blocks[:, 3].flip(-1)
    scales = torch.randint(110, 130, (1, 16, 8), dtype=torch.uint8)
    expected = dequantize(blocks, scales)
    packed = pack(blocks, scales)
    assert torch.equal(numbers_of(packed), expected)
    assert (packed.rows, packed.columns) == (16, 256)
