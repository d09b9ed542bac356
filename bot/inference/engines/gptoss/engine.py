"""The engine protocol over the model: pages for sequences, chunks of prompts, batched steps.

The GPU is a forward pass ahead of the host. A call starts the draw from the pass that is under way,
and right behind it the next pass, which takes the drawn tokens on the GPU; then it waits for the
draw and reports it. While the GPU is at the next pass, the host reads the tokens and finds out what
may be drawn after them. So what depends on all tokens before, masks and forced tokens, costs no
time of the GPU's.
"""

import gc
import random
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bot.inference.engines.base import Abandoned, Sequence
from bot.inference.engines.device import memory_errors_explained
from bot.inference.engines.gptoss.chunk import Chunk, Part
from bot.inference.engines.gptoss.graphs import Decoder, Draw, Forward, Prefiller
from bot.inference.engines.gptoss.kernels.embedding import gather_state
from bot.inference.engines.gptoss.kernels.sampling import SamplingState, sample
from bot.inference.engines.gptoss.model import PAGE, Model
from bot.inference.engines.gptoss.runs import Run, Runs
from bot.inference.engines.gptoss.transfers import Download, upload
from bot.inference.engines.sampling import GREEDY_BELOW

CHUNK = 8192
"""Tokens of prompts in one step: some 130 ms on an H200."""
CHUNK_BESIDE = 2048
"""The same where others wait for their next token: some 33 ms."""
LEAST_CHUNK = 256
LONG = 16384
"""Tokens after which chunks are half as long, and again after twice as many, if others wait."""


@dataclass(frozen=True)
class _Drawn:
    """A draw that was started, and the runs that its tokens belong to, in order."""

    tokens: Download
    runs: list[Run]


class GptOssEngine:
    """See base.Engine. A sequence that finds too few pages waits for those of others.

    When running sequences need more pages than there are, the one that started last gives up its
    own and is computed again later; its draws are what they would have been.
    """

    def __init__(
        self,
        model: Model,
        slots: int,
        *,
        chunk: int = CHUNK,
        progress: Callable[[float], None] = lambda share: None,
    ) -> None:
        self.slots = slots
        self.context = model.context
        self._model = model
        self._chunk = chunk
        self._runs = Runs(slots, model.context, model.pages, model.device)
        self._decoding: list[Run] = []
        """Those that the decoding pass under way is of."""
        self._read: tuple[Tensor, list[Run]] | None = None
        """Logits after prompts that have been read to their ends, and whose they are."""
        self._drawn: list[_Drawn] = []
        """What is not reported yet."""
        self._masked: set[int] = set()
        """Slots in whose masks not every bit is set."""
        self._state = SamplingState.empty(slots + 1, model.config.vocab_size, model.device)
        with torch.inference_mode():
            self._prefill = Prefiller(self._start_prefill, slots, chunk, model.device)
            # Triton times block sizes with 256 MB that it clears: they take turns with what
            # prompts need.
            torch.cuda.empty_cache()
            self._decode = Decoder(self._make_step, slots, slots, model.device, progress)
            torch.cuda.empty_cache()

    @property
    def room(self) -> int:
        """Tokens of all sequences together, if none is too long."""
        return (self._model.pages - 1) * PAGE

    @property
    def sequences(self) -> int:
        return self._runs.count

    def admit(self, sequence: Sequence) -> None:
        slot = self._runs.admit(sequence).slot
        sampling, state = sequence.sampling, self._state
        greedy = sampling.temperature < GREEDY_BELOW
        seed = random.getrandbits(63) if sampling.seed is None else sampling.seed
        # Filled, not assigned: an assigned number is copied from the host, which waits for the GPU.
        state.temperatures[slot].fill_(0.0 if greedy else sampling.temperature)
        state.top_p[slot].fill_(sampling.top_p)
        state.min_p[slot].fill_(sampling.min_p)
        state.seeds[slot].fill_(seed % 2**63)
        state.penalties[slot].fill_(sampling.repetition_penalty)
        state.forced[slot].fill_(-1)
        if sampling.repetition_penalty != 1:
            state.seen[slot].fill_(0)

    @torch.inference_mode()
    def step(self) -> list[tuple[Sequence, int]]:
        """One token of each sequence past its prompt, one chunk of the first ones that are not.

        Returns the tokens of the passes that the call before has started. Raises EngineError when
        memory runs out; all that ran must then be released.
        """
        device = self._model.device
        on_device = torch.cuda.device(device) if device.type == "cuda" else nullcontext()
        with on_device, memory_errors_explained("a step of gpt-oss", device):
            self._draw()
            produced = self._make_room()
            self._runs.start_waiting()
            running = self._runs.running
            prefilling = [run for run in running if not run.decodes]
            self._decoding = [run for run in running if run.decodes and run.fed < self.context]
            if self._decoding:
                self._decode.start([run.slot for run in self._decoding])
                for run in self._decoding:
                    run.fed += 1
            if prefilling:
                self._start_chunk(self._next_parts(prefilling, len(self._decoding)))
            produced += self._report()
        return produced

    def release(self, sequence: Sequence) -> None:
        self._runs.release(sequence)

    def close(self) -> None:
        self._runs.close()
        del self._model, self._decode, self._prefill, self._state
        gc.collect()  # graphs that are freed while another engine records its own break it
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _start_prefill(self, chunk: Chunk, abandoned: Callable[[], bool]) -> Tensor:
        return self._model.prefill(chunk, self._runs.tables, abandoned)

    def _make_step(self, size: int) -> tuple[Forward, Draw]:
        attention = self._model.attention_for(size)

        def forward(slots: Tensor) -> Tensor:
            tokens, positions = gather_state(slots, self._state.tokens, self._state.positions)
            return self._model.decode(tokens, positions, slots, self._runs.tables, attention)

        def draw(logits: Tensor, slots: Tensor) -> Tensor:
            return sample(logits, slots, self._state)

        return forward, draw

    def _draw(self) -> None:
        """Start the draws from the passes under way, of the sequences that are still here."""
        running = set(self._runs.running)
        if not running.isdisjoint(self._decoding):
            slots = [self._ready(run) if run in running else None for run in self._decoding]
            self._drawn.append(_Drawn(Download(self._decode.draw(slots)), self._decoding))
        if self._read and not running.isdisjoint(self._read[1]):
            logits, runs = self._read
            rows = [row for row, run in enumerate(runs) if run in running]
            if len(rows) < len(runs):
                logits = logits[rows]
            self._draw_first(logits, [runs[row] for row in rows])
        self._decoding, self._read = [], None

    def _draw_first(self, logits: Tensor, runs: list[Run]) -> None:
        """The draws of `runs` from `logits` [runs, vocabulary], after their prompts."""
        for run in runs:
            self._state.positions[run.slot].fill_(run.fed - 1)
        slots = torch.empty(len(runs), dtype=torch.int32, device=self._model.device)
        upload([self._ready(run) for run in runs], slots)
        self._drawn.append(_Drawn(Download(sample(logits, slots, self._state)), runs))

    def _ready(self, run: Run) -> int:
        """Say what the run's next draw may be; returns its slot."""
        sequence, mask = run.sequence, self._state.masks[run.slot]
        if sequence.forced:
            self._state.forced[run.slot].fill_(sequence.forced.popleft())
        elif sequence.mask is not None and (words := sequence.mask()) is not None:
            self._masked.add(run.slot)
            if missing := max(0, len(mask) - len(words)):
                words = np.pad(words, (0, missing))
            upload(words[: len(mask)], mask)
        elif run.slot in self._masked:
            self._masked.remove(run.slot)
            mask.fill_(-1)
        return run.slot

    def _make_room(self) -> list[tuple[Sequence, int]]:
        """A page for every sequence that needs one for its next token."""
        produced = []
        while not self._runs.extend():
            produced += self._report()  # what the last run has drawn so far is part of it
            self._runs.put_last_back()
        return produced

    def _next_parts(self, runs: list[Run], decoding: int) -> list[tuple[Run, Part]]:
        """What the next step reads of the prompts of `runs`: as many tokens as a chunk has.

        Fewer where others wait for their next token, unless more wait for their first one. Prompts
        for which there are graphs are read one by one, which is faster.
        """
        left = self._chunk
        if decoding:
            if decoding >= len(runs):
                left = min(left, CHUNK_BESIDE)
            halvings = (runs[0].fed // LONG).bit_length()
            left = max(left >> halvings, min(left, LEAST_CHUNK))
        parts = []
        total = 0
        for run in runs:
            tokens = run.tokens[run.fed : min(run.prompt, run.fed + left - total)]
            parts.append((run, Part(tokens, run.fed, run.slot)))
            total += len(tokens)
            if total == left:
                break
        return parts if total > self._prefill.longest_recorded else parts[:1]

    def _start_chunk(self, parts: list[tuple[Run, Part]]) -> None:
        """Read the next parts of prompts."""
        try:
            logits = self._prefill(
                [part for _, part in parts],
                lambda: all(run.sequence.abandoned for run, _ in parts),
            )
        except Abandoned:  # all are released before the next step
            return
        for run, part in parts:
            run.fed += len(part.tokens)
            self._runs.publish(run)
        ended = [run for run, _ in parts if run.decodes]  # all, or all but the last one
        if ended:
            self._read = (logits[: len(ended)], ended)

    def _report(self) -> list[tuple[Sequence, int]]:
        """Wait for the draws; the tokens of the sequences that are still here."""
        produced = []
        running = set(self._runs.running)
        for drawn in self._drawn:
            for run, token in zip(drawn.runs, drawn.tokens.wait(), strict=False):
                if run in running:
                    run.tokens.append(token)
                    self._runs.publish(run)
                    produced.append((run.sequence, token))
        self._drawn = []
        return produced
