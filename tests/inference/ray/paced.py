"""The real tiny model, whose steps take their time while a file says so."""

import time
from dataclasses import replace
from pathlib import Path

from bot.config.schema import InferenceConfig
from bot.inference.engines.base import Engine, Sequence
from bot.inference.models.sources import Progress
from bot.inference.server.model import Model, load_model

STEP_SECONDS = 0.25
"""Long beside the way of a message through Ray."""


class Paced:
    """Implements `Engine` around another."""

    def __init__(self, engine: Engine, slow: Path) -> None:
        self._engine, self._slow = engine, slow
        self.slots, self.context = engine.slots, engine.context

    @property
    def sequences(self) -> int:
        return self._engine.sequences

    def admit(self, sequence: Sequence) -> None:
        self._engine.admit(sequence)

    def step(self) -> list[tuple[Sequence, int]]:
        if self._slow.exists():
            time.sleep(STEP_SECONDS)
        return self._engine.step()

    def release(self, sequence: Sequence) -> None:
        self._engine.release(sequence)

    def close(self) -> None:
        self._engine.close()


def slow_file(model: Path) -> Path:
    """While it exists, the steps of this model's engines take STEP_SECONDS."""
    return model / "slow"


def load_paced(inference: InferenceConfig, progress: Progress) -> Model:
    """In a replica's process: the model of this configuration."""
    model = load_model(inference, progress)
    return replace(model, engine=Paced(model.engine, slow_file(Path(inference.model))))
