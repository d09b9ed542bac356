"""Steps recorded once as CUDA graphs and replayed: one launch in place of hundreds.

See https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

import functools
from collections.abc import Callable
from typing import Any, Generic, ParamSpec

import torch
from torch import Tensor

from bot.inference.engines.gptoss.chunk import Chunk, Part
from bot.inference.engines.gptoss.transfers import upload

InputsT = ParamSpec("InputsT")

Forward = Callable[[Tensor], Tensor]
Draw = Callable[[Tensor, Tensor], Tensor]
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
    """Decode steps for `slots` sequences at most, two graphs a batch size; on the CPU, none.

    `make_step(size)` makes the halves of a step for a batch of `size` rows: the forward pass, from
    their slots int32 [size] to logits, and the draw, from these and the slots to their next tokens
    int32 [size]. Between them the host says what may be drawn, while the GPU is at the first one.
    Rows that fill up a batch have the slot `filler`.
    """

    def __init__(
        self,
        make_step: Callable[[int], tuple[Forward, Draw]],
        slots: int,
        filler: int,
        device: torch.device,
        progress: Callable[[float], None],
    ) -> None:
        self._filler = filler
        self._steps: dict[int, tuple[Forward, Draw]] = {}
        self._slots: dict[int, tuple[list[int], Tensor]] = {}
        self._logits = torch.empty(0)
        self._size = 0
        sizes = batch_sizes(slots)
        pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None
        for done, size in enumerate(reversed(sizes)):  # the others fit into the largest's memory
            of_batch = torch.full((size,), filler, dtype=torch.int32, device=device)
            self._slots[size] = ([filler] * size, of_batch)
            forward, draw = make_step(size)
            if pool:
                recorded = _Recorded(forward, pool, of_batch)
                draw = _Recorded(draw, pool, recorded(of_batch), of_batch)
                recorded.out = self._logits  # nobody's, so that the next graphs use its memory
                forward = recorded
            self._steps[size] = (forward, draw)
            progress((done + 1) / len(sizes))

    def start(self, slots: list[int]) -> None:
        """Start the forward pass of the tokens of `slots`."""
        self._size = next(size for size in sorted(self._steps) if size >= len(slots))
        forward, _ = self._steps[self._size]
        self._logits = forward(self._upload(slots))

    def draw(self, slots: list[int | None]) -> Tensor:
        """Start the draw of the pass that was started; the next tokens, in order, filled up.

        `slots` are those of the pass, None where nothing is to be drawn any more.
        """
        _, draw = self._steps[self._size]
        kept = [self._filler if slot is None else slot for slot in slots]
        return draw(self._logits, self._upload(kept))

    def _upload(self, slots: list[int]) -> Tensor:
        filled = slots + [self._filler] * (self._size - len(slots))
        before, on_device = self._slots[self._size]
        if filled != before:
            upload(filled, on_device)
            self._slots[self._size] = (filled, on_device)
        return on_device


class Prefiller:
    """Chunks of prompts in a few sizes, filled up; up to the largest of RECORDED, one graph each.

    `prefill` makes logits of a chunk, see model.Model; `filler` is the slot of rows that fill up.
    Longer chunks take the GPU longer than the host needs to launch their kernels.
    """

    def __init__(self, prefill: Prefill, filler: int, longest: int, device: torch.device) -> None:
        self._prefill = prefill
        self._filler = filler
        self._device = device
        self._recorded: dict[int, tuple[Chunk, _Recorded[[Chunk]]]] = {}
        if device.type != "cuda":
            return
        pool = torch.cuda.graph_pool_handle()
        anything = [Part([0], 0, filler)]
        for size in reversed(RECORDED):
            chunk = Chunk(size, 1, device).fill(anything, filler)
            self._recorded[size] = (chunk, _Recorded(self._prefill_all, pool, chunk))
        for size in sizes_up_to(longest):  # compile, so that no request waits for it
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


def sizes_up_to(longest: int) -> list[int]:
    """Sizes beyond those recorded that between them run every kernel there is for prompts."""
    sizes = [2 * RECORDED[-1]]
    while sizes[-1] < longest:
        sizes.append(2 * sizes[-1])
    return sizes


@functools.cache
def _side_stream() -> torch.cuda.Stream:
    """One for all warm-ups: cuBLAS has a workspace of up to 32 MB for each stream."""
    return torch.cuda.Stream()  # type: ignore[no-untyped-call]


class _Recorded(Generic[InputsT]):
    """A step in a graph. Graphs share `pool`: a result is lost when another one is replayed."""

    def __init__(
        self,
        step: Callable[InputsT, Tensor],
        pool: Any,
        *inputs: InputsT.args,
        **named: InputsT.kwargs,
    ) -> None:
        stream = _side_stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                step(*inputs, **named)
        torch.cuda.current_stream().wait_stream(stream)
        self._step = step  # keeps its workspace, which the graph writes to
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=pool):
            self.out = step(*inputs, **named)

    def __call__(self, *inputs: InputsT.args, **named: InputsT.kwargs) -> Tensor:
        self._graph.replay()
        return self.out
