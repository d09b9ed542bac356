"""The HTTP routes of the inference service: OpenAI's, vLLM's `/tokenize`, health and metrics."""

import asyncio
from collections.abc import Mapping

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from bot.inference.scheduler.job import Job
from bot.inference.server import api
from bot.inference.server.completions import CompletionStream, completion, completion_id
from bot.inference.server.errors import ApiError, ErrorBody, validation_error
from bot.inference.server.gate import Gate
from bot.inference.server.service import Service

log = structlog.get_logger()

TRACE = TraceContextTextMapPropagator()
"""Reads traceparent alone: a header that can't be read would be logged, and may be text."""

EVENT = {
    "type": "object",
    "properties": {"data": {"type": "string", "description": "A chunk as JSON, or [DONE]."}},
    "required": ["data"],
}
STREAMED = {
    "description": "The answer: one object, or with `stream` chunks as server-sent events.",
    "content": {"text/event-stream": {"schema": EVENT}},
}


def create_app(service: Service, api_key: str = "") -> FastAPI:
    """The application around `service`; with `api_key`, all but health and metrics ask for it."""
    app = FastAPI(
        title="gptoss-bot inference",
        docs_url=None,
        redoc_url=None,
        responses={"default": {"model": ErrorBody, "description": "A refusal."}},
    )
    app.add_middleware(Gate, api_key=api_key)

    @app.post("/v1/chat/completions", response_model=api.ChatCompletion, responses={200: STREAMED})
    async def chat_completions(body: api.ChatRequest, request: Request) -> Response:
        job = await service.submit(
            body, id=completion_id(request), trace=TRACE.extract(request.headers)
        )
        if body.stream:
            usage = body.stream_options is not None and body.stream_options.include_usage
            return CompletionStream(job, service.name, include_usage=usage)
        with job:
            watch = asyncio.create_task(_cancel_on_disconnect(request, job))
            try:
                answer = await completion(job, service.name)
            finally:
                watch.cancel()
        return Response(answer.model_dump_json(), media_type="application/json")

    @app.post("/tokenize")
    async def tokenize(body: api.PromptRequest) -> api.Tokens:
        tokens = await service.tokenize(body)
        context = service.model().engine.context
        return api.Tokens(count=len(tokens), max_model_len=context, tokens=tokens)

    @app.get("/v1/models")
    async def models() -> api.ModelList:
        model = service.model()
        card = api.ModelCard(
            id=service.name,
            created=service.created,
            max_model_len=model.engine.context,
            reasoning=model.chat_format.reasoning.value,
        )
        return api.ModelList(data=[card])

    @app.get("/health")
    async def health() -> Response:
        ready = service.stage.status == "ready"
        return JSONResponse(service.health(), 200 if ready else 503)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def prometheus() -> Response:
        metrics = service.metrics.render(running=service.running, waiting=service.waiting)
        return Response(metrics, media_type=CONTENT_TYPE_LATEST)

    def refuse(
        request: Request, error: ApiError, headers: Mapping[str, str] | None = None
    ) -> Response:
        service.metrics.refused(error.status)
        log.info("request refused", id=completion_id(request), status=error.status, code=error.code)
        retry = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
        return JSONResponse(error.body(), error.status, {**(headers or {}), **retry})

    @app.exception_handler(ApiError)
    async def refused(request: Request, error: ApiError) -> Response:
        return refuse(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return refuse(request, validation_error(error.errors()))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        return refuse(request, ApiError(error.status_code, f"{error.detail}."), error.headers)

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        return refuse(request, ApiError(500, "The service made an error; its log says more."))

    return app


async def _cancel_on_disconnect(request: Request, job: Job) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    job.cancel()
