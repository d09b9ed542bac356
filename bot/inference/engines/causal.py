"""The engine loop around a model that keeps keys and values: prefill, decode, prefix reuse."""

from collections.abc import Callable
from collections.abc import Sequence as Tokens
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from bot.inference.engines import EngineError
from bot.inference.engines.base import Abandoned, Sequence
from bot.inference.engines.device import memory_errors_explained
from bot.inference.engines.prefix_cache import Cached, PrefixCache
from bot.inference.engines.sampling import Sampler

CacheT = TypeVar("CacheT")

KEPT_ON_CPU = 1024
"""Tokens of finished conversations, beside the last: there they are the process's own memory."""


class CausalModel(Protocol[CacheT]):
    """A causal language model and its key-value caches, one cache a sequence."""

    device: torch.device
    context: int
    """Tokens that the model was made for."""
    chunk: int
    """Prompt tokens to prefill in one step: at most about half a second of work."""
    can_fork: bool
    """Whether the state after fewer tokens can be had from a cache."""

    def new_cache(self) -> CacheT: ...

    def fork(self, cache: CacheT, length: int) -> CacheT:
        """A copy of `cache` after its first `length` tokens."""
        ...

    def forward(
        self, tokens: Tokens[int], cache: CacheT, abandoned: Callable[[], bool] = lambda: False
    ) -> Tensor:
        """Append `tokens` to the sequence in `cache`; the logits after the last, [vocabulary].

        Asks `abandoned` between layers: once it is true, raises Abandoned and leaves the sequence
        as it was, if it `can_fork`.
        """
        ...


@dataclass
class _Running(Generic[CacheT]):
    sequence: Sequence
    cached: Cached[CacheT]
    sampler: Sampler
    pending: list[int] = field(default_factory=list)
    """Tokens that the model has not seen yet: what is left of the prompt, or the last token."""


class CausalEngine(Generic[CacheT]):
    """Runs up to `slots` sequences one after another within a step; see base.Engine."""

    def __init__(self, model: CausalModel[CacheT], slots: int, context: int | None = None) -> None:
        self.model = model
        self.slots = slots
        self.context = min(model.context, context or model.context)
        self._running: dict[Sequence, _Running[CacheT]] = {}
        kept = self.context if model.device.type == "cuda" else min(self.context, KEPT_ON_CPU)
        self._finished = PrefixCache(model, token_limit=kept)

    @property
    def sequences(self) -> int:
        return len(self._running)

    def admit(self, sequence: Sequence) -> None:
        with memory_errors_explained("taking up a conversation", self.model.device):
            # With a seed the whole prompt is computed, in the same pieces every time: what is left
            # of it after a reused prefix would be rounded in another order.
            reusable = sequence.prompt if sequence.sampling.seed is None else []
            cached = self._finished.take(reusable, sequence.cache_salt)
        sequence.cached_tokens = len(cached.tokens)
        sampler = Sampler(sequence.sampling, self.model.device)
        pending = sequence.prompt[len(cached.tokens) :]
        self._running[sequence] = _Running(sequence, cached, sampler, pending)

    def step(self) -> list[tuple[Sequence, int]]:
        """One prompt chunk of the sequence admitted first, one token of each that is past its own.

        Raises EngineError when memory runs out; all that run must then be released.
        """
        produced = []
        prefilling = False
        for run in list(self._running.values()):
            if len(run.pending) > 1:
                if prefilling:
                    continue
                prefilling = True
            chunk = run.pending[: self.model.chunk]
            try:
                logits = self._forward(run, chunk)
            except Abandoned:  # it is released before the next step
                continue
            run.pending = run.pending[len(chunk) :]
            if not run.pending:
                forced = run.sequence.forced
                token = forced.popleft() if forced else run.sampler(_masked(logits, run.sequence))
                run.pending = [token]
                produced.append((run.sequence, token))
        return produced

    def release(self, sequence: Sequence) -> None:
        run = self._running.pop(sequence)
        self._finished.put(run.cached)

    def warm_up(self) -> None:
        """Run both kinds of step once, so that the first request does not wait for them."""
        cache = self.model.new_cache()
        with torch.inference_mode():
            self.model.forward([0] * min(32, self.context - 1), cache)
            self.model.forward([0], cache)

    def close(self) -> None:
        self._running.clear()
        self._finished.clear()
        del self.model
        torch.cuda.empty_cache()

    def _forward(self, run: _Running[CacheT], tokens: list[int]) -> Tensor:
        cached, sequence = run.cached, run.sequence
        length = len(cached.tokens) + len(tokens)
        doing = f"a sequence of {length} tokens"
        try:
            with memory_errors_explained(doing, self.model.device), torch.inference_mode():
                logits = self.model.forward(tokens, cached.cache, lambda: sequence.abandoned)
        except Abandoned:
            if not self.model.can_fork:
                cached.tokens.clear()  # as below
            raise
        except EngineError:
            cached.tokens.clear()  # it may be written by half, so it is not kept
            self._finished.clear()  # that may be room enough for the next
            raise
        cached.tokens += tokens
        return logits


_OF_BYTE = np.where(
    np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little"),
    np.float32(0),
    np.float32(-np.inf),
)
"""What a mask's byte adds to the logits of its eight tokens, [256, 8].

Looking it up takes a third of the time of taking bits apart and filling by them.
"""


def _masked(logits: Tensor, sequence: Sequence) -> Tensor:
    """`logits`, [vocabulary], with those of tokens that may not come next at minus infinity."""
    words = None if sequence.mask is None else sequence.mask()
    if words is None:
        return logits
    known = _OF_BYTE.take(words.view(np.uint8), axis=0).reshape(-1)[: len(logits)]
    added = np.full(len(logits), -np.inf, np.float32)  # a model may have more logits than tokens
    added[: len(known)] = known
    return logits + torch.from_numpy(added).to(logits)
