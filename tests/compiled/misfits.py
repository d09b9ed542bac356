"""Kernels that some card can't run, to see the check fail: `python -m tests.compiled.misfits`."""

import torch
import triton
import triton.language as tl

from tests.compiled.cards import Capability
from tests.compiled.compiling import compile_launch
from tests.compiled.launches import recorded
from tests.inference.engines.gptoss.shapes import META


@triton.jit
def too_large(x_ptr, SIZE: tl.constexpr):  # noqa: N803
    """A sorted row, which goes through shared memory as a whole."""
    at = tl.arange(0, SIZE)
    tl.store(x_ptr + at, tl.gather(tl.load(x_ptr + at), SIZE - 1 - at, 0))


@triton.jit
def too_new(x_ptr, SIZE: tl.constexpr):  # noqa: N803
    """With an instruction that there is from compute capability 8.0 on."""
    at = tl.arange(0, SIZE)
    x = tl.load(x_ptr + at)
    x = tl.inline_asm_elementwise(
        "cvt.rn.relu.bf16x2.f32 $0, $1, $1;", "=r,f", [x], dtype=tl.int32, is_pure=True, pack=1
    )
    tl.store(x_ptr + at, x.to(tl.float32, bitcast=True))


def main() -> None:
    """Print what is wrong with each on a card of 7.5 and on one of 8.0, a line each."""
    cards: list[Capability] = [(7, 5), (8, 0)]
    for capability in cards:
        with recorded(capability) as found:
            too_large[(1,)](torch.empty(1 << 15, device=META), 1 << 15)
            too_new[(1,)](torch.empty(256, device=META), 256)
        for launch in found:
            print(compile_launch(capability, launch).problem or "fits")  # noqa: T201


if __name__ == "__main__":
    main()
