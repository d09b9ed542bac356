"""What the scheduler asks of an engine: admit a sequence, advance all by one step, release it.

An engine owns one device and is driven by one thread. It knows token ids only: chat templates,
text and reasoning channels are handled outside, once for all engines.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn. `temperature` 0 is greedy; `seed` makes a draw repeatable."""

    temperature: float = 1.0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    """Above 1, what the answer already has becomes less likely; 1 changes nothing."""
    seed: int | None = None


@dataclass(eq=False)
class Sequence:
    """One request inside the engine, from its prompt to its last token.

    `forced` holds tokens that the engine must emit next instead of sampling: it takes them from the
    left, one a step, feeds them to the model and reports them like sampled ones.
    """

    prompt: list[int]
    sampling: Sampling = field(default_factory=Sampling)
    forced: deque[int] = field(default_factory=deque)
    cache_salt: str | None = None
    """Only sequences with the same salt reuse each other's prefixes, so that nobody can tell by a
    fast first token what others have asked."""
    cached_tokens: int = 0
    """Prompt tokens whose keys and values were reused; the engine sets it when prefill begins."""
    mask: "Callable[[], NDArray[np.int32] | None] | None" = None
    """Which tokens may be drawn next, a bit each: token `t` is bit `t % 32` of word `t // 32`. All
    may, where it is None or gives None. Asked before each draw, by the thread that drives the
    engine, when all tokens before have been reported; not before forced tokens."""
    abandoned: bool = False
    """Nobody waits for it any more: a step that takes long ends early. Set by another thread."""


class Abandoned(Exception):
    """A forward pass that ended early, as it was asked to."""


class Engine(Protocol):
    """A model on a device with a fixed number of slots.

    `step` does a bounded piece of work: one chunk of a prompt's prefill or one decode step of every
    running sequence, so that a cancelled sequence is gone within one step.
    """

    slots: int
    """Sequences that can run at once."""
    context: int
    """Tokens that prompt and answer may have together."""

    @property
    def sequences(self) -> int:
        """Sequences that were admitted and not released. Any thread may ask."""
        ...

    def admit(self, sequence: Sequence) -> None:
        """Give `sequence` a free slot. The scheduler never admits more than `slots`.

        Raises EngineError, with the slot free, when memory runs out.
        """

    def step(self) -> list[tuple[Sequence, int]]:
        """Advance the running sequences; returns the tokens produced, none during prefill."""
        ...

    def release(self, sequence: Sequence) -> None:
        """Free the slot of a finished or cancelled sequence; its cache stays for prefix reuse."""

    def close(self) -> None:
        """Free the device. No call may follow."""
