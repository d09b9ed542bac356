"""The bot's side of the wire to an inference service, and the supervisor of one of its own."""

from bot.client.client import InferenceClient
from bot.client.errors import (
    Busy,
    InferenceError,
    NotReady,
    PromptTooLong,
    RequestRefused,
    ServiceUnusable,
    Unreachable,
)
from bot.client.events import (
    CallDelta,
    Event,
    Finished,
    Queued,
    ReasoningDelta,
    TextDelta,
    ToolCall,
)
from bot.client.metrics import ServiceMetrics
from bot.client.probe import shortcomings
from bot.client.state import Health, ModelInfo

__all__ = [
    "Busy",
    "CallDelta",
    "Event",
    "Finished",
    "Health",
    "InferenceClient",
    "InferenceError",
    "ModelInfo",
    "NotReady",
    "PromptTooLong",
    "Queued",
    "ReasoningDelta",
    "RequestRefused",
    "ServiceMetrics",
    "ServiceUnusable",
    "TextDelta",
    "ToolCall",
    "Unreachable",
    "shortcomings",
]
