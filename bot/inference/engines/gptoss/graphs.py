"""Steps recorded once as CUDA graphs and replayed: one launch in place of hundreds.

See https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from bot.inference.engines.gptoss.chunk import Chunk, Part
from bot.inference.engines.gptoss.transfers import upload

InputsT = TypeVar("InputsT", Tensor, Chunk)

Prefill = Callable[[Chunk, Callable[[], bool]], Tensor]

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
        self._steps: dict[int, Callable[[Tensor], Tensor]] = {}
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

    `prefill` makes logits of a chunk, see model.Model; `filler` is the slot of rows that fill up.
    Longer chunks take the GPU longer than the host needs to launch their kernels.
    """

    def __init__(self, prefill: Prefill, filler: int, longest: int, device: torch.device) -> None:
        self._prefill = prefill
        self._filler = filler
        self._device = device
        self._recorded: dict[int, tuple[Chunk, _Recorded[Chunk]]] = {}
        if device.type != "cuda":
            return
        pool = torch.cuda.graph_pool_handle()
        anything = [Part([0], 0, filler)]
        for size in reversed(RECORDED):
            chunk = Chunk(size, 1, device).fill(anything, filler)
            self._recorded[size] = (chunk, _Recorded(self._prefill_all, chunk, pool))
        for size in _sizes_up_to(longest):  # compile, so that no request waits for it
            self._prefill_all(Chunk(size, 1, device).fill(anything, filler))

    @property
    def longest_recorded(self) -> int:
        """Tokens up to which there are graphs, for one part each."""
        return max(self._recorded, default=0)

    def __call__(self, parts: list[Part], abandoned: Callable[[], bool]) -> Tensor:
        """Logits [parts, vocabulary] after each of the parts; see model.Model.prefill."""
        count = sum(len(part.tokens) for part in parts)
        for size, (chunk, recorded) in sorted(self._recorded.items()):
            if len(parts) == 1 and count <= size:
                return recorded(chunk.fill(parts, self._filler))
        size = -(-count // STRIDE) * STRIDE
        chunk = Chunk(size, len(parts), self._device).fill(parts, self._filler)
        return self._prefill(chunk, abandoned)

    def _prefill_all(self, chunk: Chunk) -> Tensor:
        return self._prefill(chunk, lambda: False)


def _sizes_up_to(longest: int) -> list[int]:
    """Sizes beyond those recorded that between them run every kernel there is for prompts."""
    sizes = [2 * RECORDED[-1]]
    while sizes[-1] < longest:
        sizes.append(2 * sizes[-1])
    return sizes


class _Recorded(Generic[InputsT]):
    """A step in a graph. Graphs share `pool`: a result is lost when another one is replayed."""

    def __init__(self, step: Callable[[InputsT], Tensor], inputs: InputsT, pool: Any) -> None:
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                step(inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self._step: Callable[[InputsT], Tensor] = (
            step  # keeps its workspace, which the graph writes to
        )
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=pool):
            self._out = step(inputs)

    def __call__(self, inputs: InputsT) -> Tensor:
        self._graph.replay()
        return self._out
