"""An engine without a model: it says what a test tells it to say, when the test lets it."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain

from bot.inference.engines.base import Sequence
from tests.waiting import HANG_SECONDS

STEP_SECONDS = 0.0001
"""A step takes its time on the device, when the event loop's thread can run."""


class ScriptedEngine:
    """Implements `Engine`. `answer` gives the tokens of each sequence; a prefill takes one step.

    It follows no masks.

    It checks the rules of the interface: at most `slots` sequences, calls from one thread only,
    nothing after `close`.
    """

    def __init__(
        self,
        answer: Callable[[Sequence], Iterable[int]],
        *,
        slots: int = 1,
        context: int = 10**9,
    ) -> None:
        self.slots = slots
        self.context = context
        self.closed = False
        self.admitted: list[Sequence] = []
        self.steps: list[set[Sequence]] = []
        """The sequences that ran, step by step."""
        self.error: Exception | None = None
        """Raised by the step under way or the next."""
        self.refusal: Exception | None = None
        """Raised when the next sequence is admitted."""
        self._answer = answer
        self._left: dict[Sequence, Iterator[int] | None] = {}
        self._changed = threading.Condition()
        self._paused = False
        self._held = False
        """Whether a step waits for the pause to end."""
        self._thread: int | None = None

    @property
    def running(self) -> set[Sequence]:
        return set(self._left)

    @property
    def sequences(self) -> int:
        return len(self._left)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, no step ends."""
        with self._changed:
            self._paused = True
        try:
            yield
        finally:
            with self._changed:
                self._paused = False
                self._changed.notify_all()

    def wait_for_step(self) -> None:
        """Return when a step has begun that can't end; for use while paused."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._held, HANG_SECONDS)

    def admit(self, sequence: Sequence) -> None:
        self._check_thread()
        assert len(self._left) < self.slots
        if error := self.refusal:
            self.refusal = None
            raise error
        self._left[sequence] = None
        self.admitted.append(sequence)

    def step(self) -> list[tuple[Sequence, int]]:
        self._check_thread()
        assert self._left, "a step with nothing to do"
        self.steps.append(set(self._left))
        time.sleep(STEP_SECONDS)
        with self._changed:
            self._held = True
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: not self._paused, HANG_SECONDS)
            self._held = False
        if error := self.error:
            self.error = None
            raise error
        tokens = []
        for sequence, left in self._left.items():
            if left is None:
                self._left[sequence] = iter(self._answer(sequence))
            elif sequence.forced:
                forced = sequence.forced.popleft()
                following = next(left, forced)
                if following != forced:  # where the script has it too, it was meant
                    self._left[sequence] = chain([following], left)
                tokens.append((sequence, forced))
            else:
                tokens.append((sequence, next(left)))
        return tokens

    def release(self, sequence: Sequence) -> None:
        self._check_thread()
        del self._left[sequence]

    def close(self) -> None:
        self._check_thread()
        self.closed = True

    def _check_thread(self) -> None:
        self._thread = self._thread or threading.get_ident()
        assert threading.get_ident() == self._thread
        assert not self.closed
