"""Steps recorded once as CUDA graphs and replayed: one launch in place of hundreds.

See https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bot.inference.engines.gptoss.model import prompt_chunk
from bot.inference.engines.gptoss.transfers import upload

WARM_UPS = 3
"""Runs before recording, in which the kernels are compiled and cuBLAS makes its workspaces."""


RECORDED = (16, 32, 64, 128, 256)
"""Tokens of prompts' chunks that there are graphs for."""
STRIDE = 16
"""What longer chunks are a multiple of."""


def batch_sizes(slots: int) -> list[int]:
    """1, 2, 4, … up to the first that has room for `slots`."""
    sizes = [1]
    while sizes[-1] < slots:
        sizes.append(2 * sizes[-1])
    return sizes


class Decoder:
    """Decode steps for `slots` sequences at most, one graph a batch size; on the CPU, none.

    `make_step(size)` makes the step for a batch of `size` rows: from their slots int32 [size] it
    returns their next tokens int32 [size]. Rows that fill up a batch have the slot `filler`.
    """

    def __init__(
        self,
        make_step: Callable[[int], Callable[[Tensor], Tensor]],
        slots: int,
        filler: int,
        device: torch.device,
        progress: Callable[[float], None],
    ) -> None:
        self._filler = filler
        self._steps: dict[int, _Recorded | Callable[[Tensor], Tensor]] = {}
        self._slots: dict[int, tuple[list[int], Tensor]] = {}
        sizes = batch_sizes(slots)
        pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None
        for done, size in enumerate(reversed(sizes)):  # the others fit into the largest's memory
            of_batch = torch.full((size,), filler, dtype=torch.int32, device=device)
            self._slots[size] = ([filler] * size, of_batch)
            step = make_step(size)
            self._steps[size] = _Recorded(step, of_batch, pool) if pool else step
            progress((done + 1) / len(sizes))

    def __call__(self, slots: list[int]) -> Tensor:
        """Start a step for `slots`; their next tokens, in their order, filled up."""
        size = next(size for size in sorted(self._steps) if size >= len(slots))
        filled = slots + [self._filler] * (size - len(slots))
        before, on_device = self._slots[size]
        if filled != before:
            upload(filled, on_device)
            self._slots[size] = (filled, on_device)
        return self._steps[size](on_device)


class Prefiller:
    """Chunks of prompts in a few sizes, filled up; up to the largest of RECORDED, one graph each.

    `prefill` makes logits of a chunk, see model.prompt_chunk; `filler` is the slot of rows that
    fill up. Longer chunks take the GPU longer than the host needs to launch their kernels.
    """

    def __init__(
        self, prefill: Callable[[Tensor], Tensor], filler: int, longest: int, device: torch.device
    ) -> None:
        self._prefill = prefill
        self._filler = filler
        self._device = device
        self._recorded: dict[int, tuple[Tensor, _Recorded]] = {}
        if device.type != "cuda":
            return
        pool = torch.cuda.graph_pool_handle()
        for size in reversed(RECORDED):
            chunk = self._chunk([0], 0, filler, size)
            self._recorded[size] = (chunk, _Recorded(prefill, chunk, pool))
        for size in _sizes_up_to(longest):  # compile, so that no request waits for it
            prefill(self._chunk([0], 0, filler, size))

    def __call__(self, tokens: list[int], start: int, slot: int) -> Tensor:
        """Logits [1, vocabulary] after `tokens`, whose first has position `start`."""
        for size, (chunk, recorded) in sorted(self._recorded.items()):
            if len(tokens) <= size:
                upload(prompt_chunk(tokens, start, slot, size, self._filler), chunk)
                return recorded(chunk)
        size = -(-len(tokens) // STRIDE) * STRIDE
        return self._prefill(self._chunk(tokens, start, slot, size))

    def _chunk(self, tokens: list[int], start: int, slot: int, size: int) -> Tensor:
        chunk = torch.empty(4, size, dtype=torch.int32, device=self._device)
        upload(prompt_chunk(tokens, start, slot, size, self._filler), chunk)
        return chunk


def _sizes_up_to(longest: int) -> list[int]:
    """Sizes beyond those recorded that between them run every kernel there is for prompts."""
    sizes = [2 * RECORDED[-1]]
    while sizes[-1] < longest:
        sizes.append(2 * sizes[-1])
    return sizes


class _Recorded:
    """A step in a graph. Graphs share `pool`: a result is lost when another one is replayed."""

    def __init__(self, step: Callable[[Tensor], Tensor], inputs: Tensor, pool: Any) -> None:
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                step(inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self._step = step  # keeps its workspace, which the graph writes to
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=pool):
            self._out = step(inputs)

    def __call__(self, inputs: Tensor) -> Tensor:
        self._graph.replay()
        return self._out
