"""What Prometheus reads at `/metrics`.

Where vLLM has a metric that means the same, it has vLLM's name and labels, so that its dashboards
work here too: https://docs.vllm.ai/en/stable/usage/metrics/.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bot.inference.scheduler.job import Job

REQUEST_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)
FIRST_TOKEN_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)
TOKEN_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)


class Metrics:
    """The metrics of the service of `model`."""

    def __init__(self, model: str) -> None:
        self._registry = registry = CollectorRegistry()
        self._model = model

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(name, text, ["model_name"], registry=registry).labels(model)

        def counter(name: str, text: str) -> Counter:
            return Counter(name, text, ["model_name"], registry=registry).labels(model)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            metric = Histogram(name, text, ["model_name"], registry=registry, buckets=buckets)
            return metric.labels(model)

        self._running = gauge("vllm:num_requests_running", "Requests that generate now.")
        self._waiting = gauge("vllm:num_requests_waiting", "Requests that wait for a slot.")
        self._sequences = gauge(
            "bot_engine_sequences", "Sequences that hold a slot of the engine, by its own count."
        )
        self._card_used = gauge("bot_card_memory_used_bytes", "Memory of the card that is in use.")
        self._card_total = gauge(
            "bot_card_memory_total_bytes", "Memory that the card has; 0: none."
        )
        self._prompt_tokens = counter("vllm:prompt_tokens", "Prompt tokens processed.")
        self._generation_tokens = counter("vllm:generation_tokens", "Tokens generated.")
        self._queried = counter(
            "vllm:prefix_cache_queries", "Prompt tokens looked up in the cache."
        )
        self._hits = counter("vllm:prefix_cache_hits", "Prompt tokens found in the prefix cache.")
        self._queue_time = histogram(
            "vllm:request_queue_time_seconds", "Time spent waiting for a slot.", REQUEST_SECONDS
        )
        self._first_token = histogram(
            "vllm:time_to_first_token_seconds",
            "From the request to its first token.",
            FIRST_TOKEN_SECONDS,
        )
        self._between_tokens = histogram(
            "vllm:inter_token_latency_seconds",
            "From a request's token to its next one.",
            TOKEN_SECONDS,
        )
        self._per_token = histogram(
            "vllm:request_time_per_output_token_seconds",
            "Mean time between a request's tokens.",
            TOKEN_SECONDS,
        )
        self._latency = histogram(
            "vllm:e2e_request_latency_seconds", "From the request to its end.", REQUEST_SECONDS
        )
        self._ended = Counter(
            "vllm:request_success",
            "Requests ended; cancelled ones are `abort`, failed ones `error`.",
            ["model_name", "finished_reason"],
            registry=registry,
        )
        self._refused = Counter(
            "bot_requests_refused",
            "Requests answered with an HTTP error.",
            ["model_name", "status"],
            registry=registry,
        )

    def token(self, job: Job, seconds: float) -> None:
        """Count a token of a job and how long it took, since the request for the first."""
        self._generation_tokens.inc()
        if job.tokens > 1:
            self._between_tokens.observe(seconds)
            return
        self._first_token.observe(seconds)
        self._prompt_tokens.inc(len(job.sequence.prompt))
        self._queried.inc(len(job.sequence.prompt))
        self._hits.inc(job.sequence.cached_tokens)

    def ended(self, job: Job) -> None:
        """Count a job that has ended."""
        assert job.ended is not None
        self._ended.labels(self._model, job.outcome_name).inc()
        self._latency.observe(job.ended - job.submitted)
        if job.started is not None:
            self._queue_time.observe(job.started - job.submitted)
        if job.first_token is not None and job.tokens > 1:
            self._per_token.observe((job.last_token - job.first_token) / (job.tokens - 1))

    def refused(self, status: int) -> None:
        """Count a request that was answered with the HTTP error `status`."""
        self._refused.labels(self._model, str(status)).inc()

    def render(
        self,
        *,
        running: int,
        waiting: int,
        sequences: int,
        card_memory: tuple[int, int] | None = None,
    ) -> bytes:
        """All of them in Prometheus's text format, with the counts of this moment.

        card_memory: bytes in use and bytes that there are; None without a card.
        """
        used, total = card_memory or (0, 0)
        self._card_used.set(used)
        self._card_total.set(total)
        self._running.set(running)
        self._waiting.set(waiting)
        self._sequences.set(sequences)
        return generate_latest(self._registry)
