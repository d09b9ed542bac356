"""The real tiny model under Ray, whose steps take their time or wait, as the tests have it."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray import serve
from ray.serve.deployment import Application

from bot.config import InferenceConfig
from bot.inference.engines.base import Engine, Sequence
from bot.inference.models.sources import Progress
from bot.inference.ray.application import application
from bot.inference.server.model import Model, load_model

STEP_SECONDS = 0.25
"""Of a slow step: long beside the way of a message through Ray."""


class Pace:
    """What the tests and the engines of a model tell each other, by files in its folder."""

    def __init__(self, model: Path) -> None:
        self._slow, self._steps = model / "slow", model / "steps"
        self._loading, self._processes = model / "loading", model / "processes"

    @property
    def steps(self) -> int:
        """Steps that all engines have done together."""
        return self._steps.stat().st_size

    @contextmanager
    def slow(self) -> Iterator[None]:
        """Inside, steps take STEP_SECONDS."""
        self._slow.touch()
        try:
            yield
        finally:
            self._slow.unlink()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside, an engine that has begun a step waits in it; enter where steps are slow."""
        with self._steps.open("ab") as steps:
            fcntl.flock(steps, fcntl.LOCK_EX)
            yield

    @contextmanager
    def unloaded(self) -> Iterator[None]:
        """Inside, a replica that starts waits for its model."""
        with self._loading.open("ab") as loading:
            fcntl.flock(loading, fcntl.LOCK_EX)
            yield

    @contextmanager
    def hanging(self, replica: str) -> Iterator[None]:
        """Inside, the process of this replica does nothing."""
        process = int((self._processes / replica).read_text())
        os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process, signal.SIGCONT)

    def tell_process(self, replica: str) -> None:
        """Note that this process is the replica's."""
        self._processes.mkdir(exist_ok=True)
        (self._processes / replica).write_text(str(os.getpid()))

    def wait_for_loading(self) -> None:
        """Return when a model may be loaded."""
        with self._loading.open("ab") as loading:
            fcntl.flock(loading, fcntl.LOCK_SH)

    @contextmanager
    def step(self) -> Iterator[None]:
        """An engine does a step inside."""
        if self._slow.exists():
            time.sleep(STEP_SECONDS)
        with self._steps.open("ab", buffering=0) as steps:
            fcntl.flock(steps, fcntl.LOCK_SH)
            steps.write(b".")
            yield


class Paced:
    """Implements `Engine` around another."""

    def __init__(self, engine: Engine, pace: Pace) -> None:
        self._engine, self._pace = engine, pace
        self.slots, self.context = engine.slots, engine.context

    @property
    def sequences(self) -> int:
        return self._engine.sequences

    def admit(self, sequence: Sequence) -> None:
        self._engine.admit(sequence)

    def step(self) -> list[tuple[Sequence, int]]:
        with self._pace.step():
            return self._engine.step()

    def release(self, sequence: Sequence) -> None:
        self._engine.release(sequence)

    def close(self) -> None:
        self._engine.close()


def load_paced(inference: InferenceConfig, progress: Progress) -> Model:
    """In a replica's process: the model of this configuration."""
    pace = Pace(Path(inference.model))
    pace.tell_process(serve.get_replica_context().replica_id.unique_id)
    pace.wait_for_loading()
    model = load_model(inference, progress)
    return replace(model, engine=Paced(model.engine, pace))


def app(args: dict[str, Any]) -> Application:
    """In Ray's file, in place of the application's own."""
    return application(args, load_paced)
