"""A span for each request: how long it waited, when its first token came, what it took."""

import asyncio
import time

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode

from bot.inference.scheduler.job import Failed, Job
from bot.inference.server.completions import completion_id
from bot.tracing import tracer


def record(job: Job, model: str, parent: Context | None) -> None:
    """The span of a job that has ended; to be called on the event loop whose clock it has."""
    now, now_ns = asyncio.get_running_loop().time(), time.time_ns()

    def at(moment: float) -> int:
        """Nanoseconds since the epoch."""
        return now_ns - round((now - moment) * 1e9)

    span = tracer.start_span(
        f"chat {model}",
        context=parent,
        kind=SpanKind.SERVER,
        start_time=at(job.submitted),
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "gptoss-bot",
            "gen_ai.request.model": model,
            "gen_ai.response.id": completion_id(job),
            "gen_ai.response.finish_reasons": [job.outcome_name],
            "gen_ai.usage.input_tokens": job.usage.prompt_tokens,
            "gen_ai.usage.output_tokens": job.usage.completion_tokens,
        },
    )
    if job.started is not None:
        span.add_event("started", timestamp=at(job.started))
    if job.first_token is not None:
        span.add_event("first token", timestamp=at(job.first_token))
    if isinstance(job.outcome, Failed):
        span.set_status(Status(StatusCode.ERROR, job.outcome.code))
    span.end(at(job.ended or now))
