"""The HTTP routes of the inference service: OpenAI's, vLLM's `/tokenize`, health and metrics."""

import asyncio
from collections.abc import Collection, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import structlog
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPBearer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from bot import __version__
from bot.inference.scheduler.job import Job
from bot.inference.server import api
from bot.inference.server.completions import CompletionStream, completion, request_id
from bot.inference.server.errors import ApiError, ErrorBody, validation_error
from bot.inference.server.gate import Gate
from bot.inference.server.requests import ChatRequest, CompletionRequest, PromptRequest
from bot.inference.server.response_events import ResponseStream, whole_response
from bot.inference.server.responses import ResponseRequest, in_own_names
from bot.inference.server.service import Service
from bot.inference.server.text_completions import TextCompletion, TextStream, text_completion

log = structlog.get_logger()

T = TypeVar("T")

TRACE = TraceContextTextMapPropagator()
"""Reads only traceparent: it logs a header that it can't read, and that may be text."""

CHAT, RESPONSES, TEXT = "/v1/chat/completions", "/v1/responses", "/v1/completions"

EVENT = {
    "type": "object",
    "properties": {"data": {"type": "string", "description": "A chunk as JSON, or [DONE]."}},
    "required": ["data"],
}
STREAMED = {
    "description": "The answer: one object, or with `stream` chunks as server-sent events.",
    "content": {"text/event-stream": {"schema": EVENT}},
}


def create_app(service: Service, api_key: str = "", origins: Collection[str] = ()) -> FastAPI:
    """The application around `service`; with `api_key`, all but health and metrics ask for it.

    Pages of `origins` may ask it from a browser; "*" is all of them.
    """
    app = FastAPI(
        title="gptoss-bot inference",
        docs_url=None,
        redoc_url=None,
        responses={"default": {"model": ErrorBody, "description": "A refusal."}},
    )

    def refuse(
        request: Request, error: ApiError, headers: Mapping[str, str] = MappingProxyType({})
    ) -> Response:
        if not hasattr(request.state, "job"):  # the others' end is told elsewhere
            service.metrics.refused(error.status)
            log.info(
                "request refused",
                request_id=request_id(request),
                status=error.status,
                code=error.code,
            )
        retry = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
        return JSONResponse(error.body(), error.status, {**headers, **retry})

    checked = {("POST", path) for path in (CHAT, RESPONSES, TEXT)}
    app.add_middleware(
        Gate,
        api_key=api_key,
        origins=origins,
        refuse=refuse,
        checked=checked,
        check=service.check,
    )
    if origins:  # before the gate, as a browser sends no key when it asks whether it may ask
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["Retry-After"],
        )

    # The gate does the work, and these tell of it.
    locked = [Depends(HTTPBearer(auto_error=False, description="`inference.api_key`"))]
    behind_key: dict[str, Any] = {"dependencies": locked} if api_key else {}

    async def submit(body: ChatRequest | CompletionRequest, request: Request) -> Job:
        trace = TRACE.extract({"traceparent": request.headers.get("traceparent", "")})
        submitting = service.submit(body, request_id=request_id(request), trace=trace)
        job = await _while_connected(request, submitting)
        request.state.job = job
        return job

    @app.post(CHAT, response_model=api.ChatCompletion, responses={200: STREAMED}, **behind_key)
    async def chat_completions(body: ChatRequest, request: Request) -> Response:
        job = await submit(body, request)
        if body.stream:
            return CompletionStream(job, service.name, include_usage=body.include_usage)
        with job:
            answer = await _while_connected(request, completion(job, service.name))
        return Response(answer.model_dump_json(), media_type="application/json")

    @app.post(TEXT, response_model=TextCompletion, responses={200: STREAMED}, **behind_key)
    async def text_completions(body: CompletionRequest, request: Request) -> Response:
        job = await submit(body, request)
        if body.stream:
            return TextStream(job, service.name, include_usage=body.include_usage)
        with job:
            answer = await _while_connected(request, text_completion(job, service.name))
        return Response(answer.model_dump_json(), media_type="application/json")

    @app.post(RESPONSES, responses={200: STREAMED}, **behind_key)
    async def responses(body: ResponseRequest, request: Request) -> Response:
        try:
            job = await submit(body.chat(), request)
        except ValidationError as error:
            raise in_own_names(validation_error(error.errors())) from error
        except ApiError as error:
            raise in_own_names(error) from error
        if body.stream:
            return ResponseStream(job, body)
        with job:
            answer = await _while_connected(request, whole_response(job, body))
        return JSONResponse(answer)

    @app.get(RESPONSES + "/{response_id}", include_in_schema=False)
    @app.delete(RESPONSES + "/{response_id}", include_in_schema=False)
    async def stored(response_id: str) -> None:
        raise ApiError(404, "Responses are not stored here.", code="unsupported")

    @app.post("/tokenize", **behind_key)
    async def tokenize(body: PromptRequest, request: Request) -> api.Tokens:
        tokens = await _while_connected(request, service.tokenize(body))
        context = service.model().engine.context
        return api.Tokens(count=len(tokens), max_model_len=context, tokens=tokens)

    def card(name: str | None = None) -> api.ModelCard:
        model = service.model(name)
        return api.ModelCard(
            id=service.name,
            created=service.created,
            max_model_len=model.engine.context,
            reasoning=model.chat_format.reasoning.value,
            tools=model.chat_format.tools is not None,
        )

    @app.get("/v1/models", **behind_key)
    async def models() -> api.ModelList:
        return api.ModelList(data=[card()])

    @app.get("/v1/models/{name:path}", **behind_key)
    async def model(name: str) -> api.ModelCard:
        return card(name)

    @app.post("/v1/embeddings", include_in_schema=False)
    async def embeddings() -> None:
        raise ApiError(
            404,
            f"There are no embeddings here: the model '{service.name}' writes text.",
            code="unsupported",
        )

    @app.get("/health", responses={503: {"model": api.Health, "description": "Not ready."}})
    async def health(response: Response) -> api.Health:
        if service.stage.status != "ready":
            response.status_code = 503
        return service.health()

    @app.get("/metrics", response_class=PlainTextResponse)
    async def prometheus() -> Response:
        metrics = service.metrics.render(
            running=service.running,
            waiting=service.waiting,
            sequences=service.sequences,
            card_memory=service.card_memory,
        )
        return Response(metrics, media_type=CONTENT_TYPE_LATEST)

    @app.get("/version", **behind_key)
    async def version() -> api.Version:
        return api.Version(version=__version__)

    @app.exception_handler(ApiError)
    async def refused(request: Request, error: ApiError) -> Response:
        return refuse(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return refuse(request, validation_error(error.errors()))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        return refuse(request, ApiError(error.status_code, f"{error.detail}."), error.headers or {})

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        return refuse(request, ApiError(500, "The service made an error; its log says more."))

    return app


async def _while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled when the client goes away. Raises ApiError then."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ApiError(499, "The client closed the connection.")
        return await working
    finally:
        leaving.cancel()
        working.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
