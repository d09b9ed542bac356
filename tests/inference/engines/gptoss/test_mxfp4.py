import torch

from bot.inference.engines.gptoss.mxfp4 import dequantize, pack

BLOCKS = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
ONE = torch.full((1, 1, 16), 127, dtype=torch.uint8)


def test_the_low_nibble_is_the_earlier_number() -> None:
    numbers = dequantize(torch.full((1, 1, 1, 16), 0xA7, dtype=torch.uint8), ONE[..., :1])
    assert numbers.flatten()[:2].tolist() == [6.0, -1.0]


def test_a_scale_is_a_power_of_two_for_32_numbers() -> None:
    scales = torch.tensor([[[127, 130]]], dtype=torch.uint8)
    numbers = dequantize(torch.full((1, 1, 2, 16), 0x22, dtype=torch.uint8), scales)
    assert numbers.flatten().tolist() == [1.0] * 32 + [8.0] * 32


def test_the_kernels_order_decodes_to_the_same_numbers_for_every_byte() -> None:
    packed = pack(BLOCKS.clone(), ONE)
    codes = packed.codes.flatten()
    late = (codes & 0x8E).view(torch.float8_e5m2).float()
    early = (((codes >> 3) & 0x0E) | ((codes << 7) & 0x80)).view(torch.float8_e5m2).float()
    numbers = torch.stack((early, late), dim=-1).flatten() * 2**14
    assert torch.equal(numbers, dequantize(BLOCKS, ONE).flatten())
    assert (packed.rows, packed.columns, packed.base) == (1, 512, 127)
