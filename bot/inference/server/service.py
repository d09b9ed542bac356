"""The model behind the HTTP server: on its way to ready, serving, on its way out."""

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import structlog
from opentelemetry.context import Context

from bot import GC_THRESHOLDS
from bot.exit_code import ExitCode
from bot.inference.engines import EngineError
from bot.inference.models.sources import ModelUnavailable, Progress
from bot.inference.scheduler.job import Job
from bot.inference.scheduler.scheduler import Closed, QueueFull, Scheduler
from bot.inference.server.api import Health
from bot.inference.server.errors import ApiError
from bot.inference.server.metrics import Metrics
from bot.inference.server.model import Model
from bot.inference.server.renderer import Renderer
from bot.inference.server.requests import ChatRequest, CompletionRequest, PromptRequest
from bot.inference.server.spans import record
from bot.inference.text.turns import PromptError

log = structlog.get_logger()

NOT_READY_SECONDS = 5
"""After how long a client may ask again while the model is not ready."""


@dataclass(frozen=True)
class Stage:
    """`status` is fetching, converting, loading, warming up, ready, draining or failed.

    `progress` goes from 0 to 1 where it is known.
    """

    status: str
    progress: float | None = None
    detail: str = ""


class Service:
    """Loads the model `name` in a thread of its own, then serves it until drained or broken.

    `load` is called in that thread, with a function to report its stage and how much of it is done
    (0 to 1); it raises ModelUnavailable, EngineError or PromptError. A broken engine is not
    repaired: its requests fail, `failed` is set, and the process should end and be started again.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[Progress], Model],
        *,
        queue_limit: int,
        deadline_seconds: float,
    ) -> None:
        self.name = name
        self.metrics = Metrics(name)
        self.created = int(time.time())
        self.stage = Stage("loading")
        self.exit_code = ExitCode.OK
        self.settled = asyncio.Event()
        """Set once it serves, or has failed."""
        self.failed = asyncio.Event()
        """Set when nothing more can be served; `exit_code` says how the process should end."""
        self._logged = ("", 0)
        self._load = load
        self._queue_limit = queue_limit
        self._deadline_seconds = deadline_seconds
        self._model: Model | None = None
        self._scheduler: Scheduler | None = None
        self._traces: dict[Job, Context | None] = {}
        self._renderer = Renderer(queue_limit)

    def start(self) -> None:
        """Begin to load; to be called on the event loop."""
        loop = asyncio.get_running_loop()

        def tell(function: Callable[..., None], *args: Any) -> None:
            with suppress(RuntimeError):  # the loop is closed: the process is on its way out
                loop.call_soon_threadsafe(function, *args)

        def load() -> None:
            try:
                model = self._load(partial(tell, self._report))
            except (ModelUnavailable, EngineError, PromptError) as error:
                tell(self._fail, str(error), ExitCode.UNUSABLE)
            except Exception as error:
                log.exception("the model could not be loaded")
                detail = f"loading {self.name} failed: {type(error).__name__}"
                tell(self._fail, detail, ExitCode.FAILURE)
            else:
                tell(self._serve, model)

        # A daemon, so that a process told to stop need not wait until the model is loaded.
        threading.Thread(target=load, name="load", daemon=True).start()

    async def drain(self, grace_seconds: float) -> None:
        """Refuse requests from now on and return when the last has ended."""
        if not self.failed.is_set():
            self.stage = Stage("draining")
        if self._scheduler:
            await self._scheduler.drain(grace_seconds)
        self._renderer.close()

    @property
    def running(self) -> int:
        return self._scheduler.running if self._scheduler else 0

    @property
    def waiting(self) -> int:
        return self._scheduler.waiting if self._scheduler else 0

    @property
    def sequences(self) -> int:
        """Sequences in the engine, by its own count."""
        return self._scheduler.sequences if self._scheduler else 0

    @property
    def card_memory(self) -> tuple[int, int] | None:
        """Bytes in use on the engine's card, and all of them; None without a card or a model."""
        return self._model.card_memory() if self._model else None

    @property
    def tokens_per_second(self) -> float | None:
        return self._scheduler.speed.tokens_per_second if self._scheduler else None

    def health(self) -> Health:
        """The stage and how busy the engine is."""
        return Health(
            **asdict(self.stage),
            running=self.running,
            waiting=self.waiting,
            tokens_per_second=self.tokens_per_second,
        )

    def model(self, name: str | None = None) -> Model:
        """The model, if it is ready and `name` (None is any) is its; raises ApiError."""
        if self._model is None or self.stage.status != "ready":
            raise self._not_ready()
        if name not in (None, self.name):
            raise ApiError(
                404,
                f"The model '{name}' does not exist; this service has '{self.name}'.",
                param="model",
                code="model_not_found",
            )
        return self._model

    def check(self) -> None:
        """Raise ApiError while no request could be taken, whatever it asks."""
        self.model()
        assert self._scheduler
        with self._refusals():
            self._scheduler.check(self._renderer.pending)

    async def tokenize(self, request: PromptRequest) -> list[int]:
        """The prompt's token ids. Raises ApiError."""
        model = self.model(request.model)
        return await self._renderer.render(model, request.messages, effort=None)

    async def submit(
        self,
        request: ChatRequest | CompletionRequest,
        *,
        request_id: str,
        trace: Context | None = None,
    ) -> Job:
        """Hand the request to the scheduler; `trace` has the client's span. Raises ApiError."""
        model = self.model(request.model)
        assert self._scheduler
        arrived = asyncio.get_running_loop().time()
        self.check()  # others may have come since the gate did
        with self._refusals():
            if isinstance(request, ChatRequest):
                prepared = await self._renderer.prepare_chat(model, request)
            else:
                prepared = await self._renderer.prepare_text(model, request)
            job = self._scheduler.submit(
                prepared.sequence,
                prepared.generation,
                request_id=request_id,
                user=request.user or "",
                weight=request.weight or 1.0,
                effort=request.effort if isinstance(request, ChatRequest) else None,
                max_tokens=prepared.max_tokens,
                arrived=arrived,
            )
            self._traces[job] = trace
            return job

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """What the scheduler raises is raised as ApiError."""
        try:
            yield
        except QueueFull as full:
            raise ApiError(
                429, str(full), code="queue_full", retry_after=full.retry_after
            ) from full
        except Closed as closed:
            raise self._not_ready() from closed

    def _not_ready(self) -> ApiError:
        stage = self.stage
        share = f" ({stage.progress:.0%})" if stage.progress is not None else ""
        return ApiError(
            503,
            f"The model '{self.name}' can't answer now: {stage.status}{share}.",
            code="not_ready",
            retry_after=NOT_READY_SECONDS,
        )

    def _report(self, status: str, progress: float) -> None:
        if self.stage.status == "draining":
            return
        tenth = int(progress * 10)
        if (status, tenth) != self._logged:  # each stage, and each tenth of it
            self._logged = (status, tenth)
            log.info("making the model ready", model=self.name, stage=status, percent=tenth * 10)
        self.stage = Stage(status, progress)

    def _serve(self, model: Model) -> None:
        if self.stage.status == "draining":
            return
        self._model = model
        self._scheduler = Scheduler(
            model.engine,
            queue_limit=self._queue_limit,
            deadline_seconds=self._deadline_seconds,
            on_token=self.metrics.token,
            on_end=self._ended,
            on_failure=self._broken,
        )
        gc.set_threshold(*GC_THRESHOLDS)
        self.stage = Stage("ready")
        self.settled.set()
        log.info("ready", model=self.name, context_tokens=model.engine.context)

    def _ended(self, job: Job) -> None:
        self.metrics.ended(job)
        record(job, self.name, self._traces.pop(job, None))
        assert job.ended is not None
        log.info(
            "request ended",
            request_id=job.request_id,
            outcome=job.outcome_name,
            effort=job.effort,
            **asdict(job.usage),
            seconds_waited=round((job.started or job.ended) - job.submitted, 3),
            seconds=round(job.ended - job.submitted, 3),
        )

    def _broken(self, error: Exception) -> None:
        self._fail(f"the engine failed: {type(error).__name__}", ExitCode.FAILURE)

    def _fail(self, detail: str, exit_code: ExitCode) -> None:
        self.stage = Stage("failed", detail=detail)
        self.exit_code = exit_code
        self.failed.set()
        self.settled.set()
        log.error("the service can't go on", detail=detail)
