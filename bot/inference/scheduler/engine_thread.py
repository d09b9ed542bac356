"""The thread that drives the engine, one step after another; nothing else calls the engine."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue

import structlog

from bot.inference.engines import EngineError
from bot.inference.engines.base import Engine, Sequence
from bot.inference.scheduler.job import Job
from bot.inference.text.delta import Delta

log = structlog.get_logger()


@dataclass(frozen=True)
class Output:
    """What one step did for one job: the text of a token, and why the answer ends with it.

    `error` is set instead of both when the engine failed at the job.
    """

    job: Job
    delta: Delta = field(default_factory=Delta)
    finish_reason: str | None = None
    error: str | None = None


class EngineThread:
    """Runs admitted jobs until they finish or are released; sleeps while there are none.

    `on_step` gets each step's outputs. An EngineError ends the jobs that ran; any other error of
    the engine ends the thread, and `on_failure` gets it. Both are called in the thread.
    """

    def __init__(
        self,
        engine: Engine,
        on_step: Callable[[list[Output]], object],
        on_failure: Callable[[Exception], object],
    ) -> None:
        self._engine = engine
        self._on_step = on_step
        self._on_failure = on_failure
        self._commands: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._jobs: dict[Sequence, Job] = {}
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def admit(self, job: Job) -> None:
        self._commands.put(partial(self._admit, job))

    def release(self, job: Job) -> None:
        """Stop `job` before the next step, if it still runs."""
        self._commands.put(partial(self._release, job))

    def close(self) -> None:
        """Stop after the step under way and free the device; `join` waits for it."""
        self._commands.put(None)

    def join(self, seconds: float) -> bool:
        """Wait up to `seconds` for the thread to end; False if a step hangs."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def sequences(self) -> int:
        """Sequences in the engine, by its own count."""
        return self._engine.sequences

    def _run(self) -> None:
        try:
            while self._run_commands():
                self._step()
        except Exception as error:
            log.exception("the engine failed")
            self._on_failure(error)
        finally:
            try:
                self._engine.close()
            except Exception:
                log.exception("the engine could not be closed")

    def _run_commands(self) -> bool:
        """Run the commands that have come, or wait for one while no job runs; False once closed."""
        while not self._jobs or not self._commands.empty():
            command = self._commands.get()
            if command is None:
                return False
            command()
        return True

    def _admit(self, job: Job) -> None:
        try:
            self._engine.admit(job.sequence)
        except EngineError as error:
            self._fail([job], error)
        else:
            self._jobs[job.sequence] = job

    def _release(self, job: Job) -> None:
        if self._jobs.pop(job.sequence, None):
            self._engine.release(job.sequence)

    def _step(self) -> None:
        try:
            produced = self._engine.step()
        except EngineError as error:
            self._fail(list(self._jobs.values()), error)
            return
        outputs = []
        for sequence, token in produced:
            if job := self._jobs.get(sequence):  # an engine may be a token ahead of a release
                outputs.append(self._output(job, token))
        if outputs:
            self._on_step(outputs)

    def _fail(self, jobs: list[Job], error: EngineError) -> None:
        """End `jobs`, when memory ran out for example; the engine goes on with others."""
        log.error("the engine could not go on", jobs=len(jobs), reason=str(error))
        for job in jobs:
            self._release(job)
        self._on_step([Output(job, error=str(error)) for job in jobs])

    def _output(self, job: Job, token: int) -> Output:
        delta = job.generation.push(token)
        reason = job.generation.finish_reason
        if reason:
            delta += job.generation.finish()
            reason = job.generation.finish_reason
            self._release(job)
        return Output(job, delta, reason)
