"""What `bot bench --synthetic` has measured."""

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Decode:
    """Tokens a second of all sequences together, and the most that the bandwidth allows."""

    batch: int
    context: int
    speed: float
    limit: float


@dataclass(frozen=True)
class Kernel:
    """One kernel of a decode step: how often it runs, and seconds of all its runs in a step."""

    name: str
    calls: float
    seconds: float


@dataclass(frozen=True)
class Speed:
    """What was measured. Times in seconds, bandwidth in bytes a second."""

    shape: str
    card: str
    torch: str
    triton: str
    bandwidth: float
    loading: float
    memory: int
    """Bytes of the card in use by the engine, with a cache for 32 sequences."""
    decodes: list[Decode] = field(default_factory=list)
    first_tokens: dict[str, float] = field(default_factory=dict)
    stop_to_next_token: float = 0.0
    """From releasing a sequence in mid-answer to the first token of a 16-token prompt."""
    served: float | None = None
    """Tokens a second through `bot serve`, batch 1; None where it or the client can't be had."""
    transformers: float | None = None
    """Tokens a second of transformers with the hub's MXFP4 kernels, batch 1 after 2048 tokens."""
    transformers_missing: str = ""
    """Why there is no such figure."""
    kernels: dict[str, list[Kernel]] = field(default_factory=dict)
    """Of decode steps, the longest first."""
    weights: str = "random weights"

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)
