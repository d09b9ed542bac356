"""Masks over a vocabulary, as engines take them."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def mask_of(tokens: Iterable[int], vocabulary: int) -> NDArray[np.int32]:
    """The mask that lets only `tokens` through."""
    bits = np.zeros(-(-vocabulary // 32) * 32, np.uint8)
    bits[list(tokens)] = 1
    return np.packbits(bits, bitorder="little").view(np.int32)


def tokens_of(mask: NDArray[np.int32]) -> list[int]:
    """The tokens that `mask` lets through."""
    return np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little")).tolist()
