"""An inference server's own measurements, from its `/metrics` in Prometheus's format.

Each server has names of its own: vLLM's, which `bot serve` has too
(https://docs.vllm.ai/en/stable/usage/metrics/), SGLang's
(https://docs.sglang.ai/references/production_metrics.html) and llama.cpp's
(https://github.com/ggml-org/llama.cpp/tree/master/tools/server).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

NAMES = {
    "running": (
        "vllm:num_requests_running",
        "sglang:num_running_reqs",
        "llamacpp:requests_processing",
    ),
    "waiting": (
        "vllm:num_requests_waiting",
        "sglang:num_queue_reqs",
        "llamacpp:requests_deferred",
    ),
    "generated": (
        "vllm:generation_tokens_total",
        "sglang:generation_tokens_total",
        "llamacpp:tokens_predicted_total",
    ),
    "queried": ("vllm:prefix_cache_queries_total",),
    "hits": ("vllm:prefix_cache_hits_total",),
    "card_used": ("bot_card_memory_used_bytes",),
    "card_total": ("bot_card_memory_total_bytes",),
}
FIELDS = {name: field for field, names in NAMES.items() for name in names}


@dataclass(frozen=True)
class ServiceMetrics:
    """Counts of this moment, and since the server's start; None for what it doesn't tell.

    generated: tokens that were generated.
    queried, hits: prompt tokens, and those of them that were found in the cache.
    card_used, card_total: bytes of the card's memory.
    """

    running: float | None = None
    waiting: float | None = None
    generated: float | None = None
    queried: float | None = None
    hits: float | None = None
    card_used: float | None = None
    card_total: float | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """From Prometheus's text format; sums where there are several engines or models."""
        found: dict[str, float] = {}
        try:
            for family in text_string_to_metric_families("\n".join(_known_lines(text))):
                for sample in family.samples:
                    field = FIELDS[sample.name]
                    found[field] = found.get(field, 0.0) + sample.value
        except (ValueError, KeyError):  # a page of another kind at this address
            return cls()
        return cls(**found)


def _known_lines(text: str) -> Iterator[str]:
    """A server can have thousands of lines, and the parser reads some 20,000 a second."""
    for line in text.splitlines():
        if line.partition("{")[0].partition(" ")[0] in FIELDS:
            yield line
