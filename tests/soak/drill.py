"""One promise, and what trying it gave."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Scale:
    """How long a drill is: `minutes` of load, `times` for what is repeated."""

    minutes: float
    times: int


@dataclass(frozen=True)
class Outcome:
    """`happened` says in a few words what came of `times` tries.

    kept: whether promised times and ratios held too; what must hold on any machine, the drill
    asserts.
    """

    times: int
    happened: str
    kept: bool = True


@dataclass(frozen=True)
class Drill:
    """`run` gets an empty folder; it raises AssertionError where the promise is broken."""

    done: str
    promise: str
    run: Callable[[Path, Scale], Awaitable[Outcome]]
