"""A job's events as OpenAI's older completion of text: one object, or a stream of them."""

import json
import time
from collections.abc import AsyncIterator
from typing import Literal

from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from bot.inference.scheduler.job import Failed, Finished, Job
from bot.inference.server.api import Usage
from bot.inference.server.completions import failure
from bot.inference.server.errors import ApiError
from bot.inference.text.delta import Delta


class TextChoice(BaseModel):
    index: Literal[0] = 0
    text: str
    logprobs: None = None
    finish_reason: str | None = None


class TextCompletion(BaseModel):
    """The answer to a request, and each piece of a stream."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[TextChoice]
    usage: Usage | None = None


async def text_completion(job: Job, model: str) -> TextCompletion:
    """The complete text. Raises ApiError when the job fails or is cancelled."""
    text = ""
    async for event in job:
        if isinstance(event, Delta):
            text += event.content
    match job.outcome:
        case Finished(reason, usage):
            choice = TextChoice(text=text, finish_reason=reason)
            return _piece(job, model, int(time.time()), [choice], Usage.of(usage))
        case Failed() as failed:
            raise failure(failed)
        case None:
            raise ApiError(499, "The client closed the connection.")


class TextStream(StreamingResponse):
    """The job as server-sent events; it is cancelled when the client goes away."""

    media_type = "text/event-stream"

    def __init__(self, job: Job, model: str, *, include_usage: bool) -> None:
        super().__init__(self._events(include_usage), headers={"Cache-Control": "no-store"})
        self._job = job
        self._model = model
        self._created = int(time.time())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._job:  # not in the generator, which never runs if the client is gone by now
            await super().__call__(scope, receive, send)

    async def _events(self, include_usage: bool) -> AsyncIterator[str]:
        async for event in self._job:
            match event:
                case Delta() if event.content:
                    yield self._line([TextChoice(text=event.content)])
                case Finished(reason, usage):
                    yield self._line([TextChoice(text="", finish_reason=reason)])
                    if include_usage:
                        yield self._line([], Usage.of(usage))
                case Failed():
                    yield f"data: {json.dumps(failure(event).body())}\n\n"
        yield "data: [DONE]\n\n"

    def _line(self, choices: list[TextChoice], usage: Usage | None = None) -> str:
        piece = _piece(self._job, self._model, self._created, choices, usage)
        return f"data: {piece.model_dump_json()}\n\n"


def _piece(
    job: Job, model: str, created: int, choices: list[TextChoice], usage: Usage | None
) -> TextCompletion:
    return TextCompletion(
        id=f"cmpl-{job.request_id}", created=created, model=model, choices=choices, usage=usage
    )
