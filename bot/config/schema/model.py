"""How answers are made: the model, the efforts, and how tokens are drawn."""

from enum import StrEnum
from functools import partial
from typing import Literal

from platformdirs import user_cache_path
from pydantic import Field, SecretStr

from bot.config.schema.values import (
    Address,
    Device,
    Folder,
    OptionalWebAddress,
    Origin,
    Secret,
    Section,
)


class Effort(StrEnum):
    """How hard the model thinks, the easiest first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def harder(self) -> "Effort":
        """The next level; the highest has none."""
        levels = list(Effort)
        return levels[min(levels.index(self) + 1, len(levels) - 1)]


class InferenceConfig(Section):
    url: OptionalWebAddress = ""
    api_key: Secret = SecretStr("")
    model: str = "smollm2-135m"
    device: Device = "auto"
    engine: Literal["auto", "gptoss", "transformers"] = "auto"
    weights: Literal["int8", "exact"] = "int8"
    listen: Address = "127.0.0.1:8000"
    cors: list[Origin] = Field([])
    slots: int = Field(1, ge=1, le=256)
    queue_limit: int = Field(64, ge=1)
    request_timeout_seconds: float = Field(600, gt=0)
    context_tokens: int | None = Field(None, ge=256)
    models_dir: Folder = Field(default_factory=lambda: user_cache_path("gptoss-bot") / "models")


class EffortConfig(Section):
    max_tokens: int = Field(ge=16)
    """Tokens that an answer may have, reasoning included."""


class EffortsConfig(Section):
    low: EffortConfig = Field(default_factory=partial(EffortConfig, max_tokens=512))
    medium: EffortConfig = Field(default_factory=partial(EffortConfig, max_tokens=2048))
    high: EffortConfig = Field(default_factory=partial(EffortConfig, max_tokens=8192))

    def __getitem__(self, effort: Effort) -> EffortConfig:
        level: EffortConfig = getattr(self, effort)
        return level


class SamplingConfig(Section):
    temperature: float | None = Field(None, ge=0, le=2)
    """0 always takes the likeliest token. Empty, as with the next two: what the makers say."""
    top_p: float | None = Field(None, gt=0, le=1)
    """Only the likeliest tokens that together have this probability are drawn from."""
    min_p: float | None = Field(None, ge=0, le=1)
    """Only tokens with at least this share of the likeliest one's probability are drawn from."""
