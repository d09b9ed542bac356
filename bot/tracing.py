"""OpenTelemetry traces, sent to where OTEL_EXPORTER_OTLP_ENDPOINT says; without it, none.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/. Attributes are those of the conventions
for generative AI, without any message text:
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

import os

from opentelemetry import trace

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

EXPORT_SECONDS = "3"
"""In which spans must be taken, unless the environment says otherwise; a process ends after it."""

tracer = trace.get_tracer("bot")


def configure(process: str) -> None:
    """Send the spans of this process under the name `process`, if an endpoint is set."""
    if not any(map(os.environ.get, ENDPOINTS)):
        return
    # Loaded only where it is used: it takes half as much memory as the bot.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    os.environ.setdefault("OTEL_EXPORTER_OTLP_TIMEOUT", EXPORT_SECONDS)
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: process}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
