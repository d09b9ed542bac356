"""What a server tells of itself."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Health:
    """What `/health` says: `status` is `ready` or the stage on the way there."""

    status: str
    progress: float | None = None
    detail: str = ""
    metrics: dict[str, Any] | None = None

    @property
    def ready(self) -> bool:
        return self.status == "ready"


@dataclass(frozen=True)
class ModelInfo:
    """The model behind the service. `reasoning` and `context` are None where it doesn't tell."""

    id: str
    context: int | None = None
    reasoning: str | None = None
