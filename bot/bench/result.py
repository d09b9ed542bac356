"""What `bot bench` has measured."""

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Figure:
    """One measured value, in `unit`: "tokens/s", "s", "bytes" or "" for a plain number.

    `compared` is the same for what the result is compared with, None where there is none. `note`
    says why a value is missing, or what to make of it.
    """

    name: str
    unit: str
    value: float | None
    compared: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        if self.value is None or not self.compared:
            return None
        return self.value / self.compared


@dataclass(frozen=True)
class Kernel:
    """One kernel of a decode step: how often it runs, and seconds of all its runs in a step."""

    name: str
    calls: float
    seconds: float


@dataclass(frozen=True)
class Result:
    """The figures of one run. `compared_with` names what the `compared` of each figure is."""

    model: str
    device: str
    compared_with: str
    settings: dict[str, str | int]
    """What the figures depend on: versions, threads, lengths."""
    figures: list[Figure] = field(default_factory=list)
    remark: str = ""
    kernels: dict[str, list[Kernel]] = field(default_factory=dict)
    """Of decode steps, the longest first; empty where they were not looked at."""

    def __getitem__(self, name: str) -> Figure:
        return next(figure for figure in self.figures if figure.name == name)

    def to_json(self) -> str:
        figures = [asdict(figure) | {"ratio": figure.ratio} for figure in self.figures]
        return json.dumps(asdict(self) | {"figures": figures}, indent=2)
