"""Those that answer the same prompts from the same model: our engine, and plain transformers."""

import time
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from bot.bench.driver import Driver
from bot.inference.engines import load_engine
from bot.inference.engines.causal import CausalEngine
from bot.inference.engines.device import find_device
from bot.inference.engines.transformers import load_checkpoint
from bot.inference.grammar.turns import Rules
from bot.inference.text.prompt import ChatFormat

LIST = {
    "type": "array",
    "minItems": 1000,
    "items": {
        "type": "object",
        "properties": {
            "place": {"type": "string", "minLength": 8, "maxLength": 40},
            "hour": {"type": "integer", "minimum": 0, "maximum": 23},
            "sure": {"type": ["boolean", "null"]},
        },
        "required": ["place", "hour", "sure"],
        "additionalProperties": False,
    },
}
"""Longer than any answer that is measured."""


class Contender(Protocol):
    """One way to answer with the model in `folder`."""

    title: str

    def __init__(self, folder: Path, device: str, engine: str, weights: str) -> None: ...

    def answer(self, prompt: list[int], tokens: int) -> tuple[list[int], list[float]]:
        """A greedy answer, and when it was asked for and when each of its tokens came."""
        ...

    def held(self, prompt: list[int], tokens: int) -> tuple[float, float] | None:
        """Seconds of a free step and of one held to a JSON schema; None where none can be.

        On a CPU they are processor time of the thread that runs the engine, which other work on the
        machine takes nothing of; on a GPU, behind which the grammar works, they are what passes.
        """
        ...

    def logits(self, tokens: list[int]) -> Tensor | None:
        """After each of `tokens`, [tokens, vocabulary]; None where an engine shows none."""
        ...


class EngineContender:
    """The engine that `bot serve` would use."""

    title = "bot serve"

    def __init__(self, folder: Path, device: str, engine: str, weights: str) -> None:
        self._engine = load_engine(
            folder,
            device=device,
            engine=engine,
            weights=weights,
            progress=lambda stage, share: None,
        )
        self._driver = Driver(self._engine, vocabulary=0)
        self.answer = self._driver.answer
        on_cpu = find_device(device).type == "cpu"
        self._clock = time.thread_time if on_cpu else time.perf_counter
        self._grammars = ChatFormat.from_folder(folder).grammars

    def held(self, prompt: list[int], tokens: int) -> tuple[float, float] | None:
        grammar = self._grammars.grammar(Rules(answer=LIST).tagged_answer())
        return self._driver.held_in_turns(prompt, tokens, grammar, self._clock)

    def logits(self, tokens: list[int]) -> Tensor | None:
        """As in decoding: each token is fed after the one before it."""
        if not isinstance(self._engine, CausalEngine):
            return None
        model = self._engine.model
        cache = model.new_cache()
        with torch.inference_mode():
            return torch.stack([model.forward([token], cache) for token in tokens])


class GenerateContender:
    """transformers' own `generate`, as its documentation calls it; it has no other settings."""

    title = "transformers generate"

    def __init__(self, folder: Path, device: str, engine: str, weights: str) -> None:
        self._model = load_checkpoint(folder, find_device(device))

    def answer(self, prompt: list[int], tokens: int) -> tuple[list[int], list[float]]:
        clock = _Clock()
        started = time.perf_counter()
        output = self._model.generate(
            torch.tensor([prompt], device=self._model.device),
            attention_mask=torch.ones(1, len(prompt), device=self._model.device),
            streamer=clock,
            do_sample=False,
            min_new_tokens=tokens,
            max_new_tokens=tokens,
        )
        return output[0, len(prompt) :].tolist(), [started, *clock.times[1:]]

    def held(self, prompt: list[int], tokens: int) -> tuple[float, float] | None:
        return None

    def logits(self, tokens: list[int]) -> Tensor | None:
        with torch.inference_mode():
            logits: Tensor = self._model(torch.tensor([tokens], device=self._model.device)).logits
        return logits[0]


class _Clock:
    """A streamer for `generate`, which gives it the prompt first and then every token."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, tokens: Tensor) -> None:
        self.times.append(time.perf_counter())

    def end(self) -> None: ...
