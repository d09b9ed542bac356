"""What a server reports about itself."""

from dataclasses import dataclass
from typing import Any

from bot.client.wire import WireModel


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
    salts_cache: bool = False
    """Whether it takes `cache_salt`; other servers refuse fields that they don't know."""
    tools: bool = True
    """Whether it can call tools, as far as the server tells."""
    tells_queue: bool = False
    """Whether who waits is told the place in the queue."""


OURS = "gptoss-bot"
SALTING = (OURS, "vllm")
"""The `owned_by` of servers that know `cache_salt`."""


class _Meta(WireModel):
    n_ctx: int | None = None


class _ModelCard(WireModel):
    id: str
    owned_by: str | None = None
    max_model_len: int | None = None
    meta: _Meta | None = None
    """What llama.cpp's server tells, of one slot."""
    reasoning: str | None = None
    tools: bool | None = None


class ModelList(WireModel):
    """The answer of `GET /v1/models`."""

    data: list[_ModelCard]

    def find(self, name: str) -> ModelInfo | None:
        """The model called `name`, or the only one of another server."""
        by_id = {card.id: card for card in self.data}
        card = by_id.get(name) or (self.data[0] if len(self.data) == 1 else None)
        if card is None:
            return None
        salts = card.owned_by in SALTING
        tools = card.tools is not False
        context = card.max_model_len or (card.meta.n_ctx if card.meta else None)
        is_ours = card.owned_by == OURS
        return ModelInfo(card.id, context, card.reasoning, salts, tools, is_ours)
