"""A job's events as OpenAI's older completion of text: one object, or a stream of them."""

import json
import time
from collections.abc import AsyncIterator
from typing import Literal

from pydantic import BaseModel

from bot.inference.scheduler.job import Failed, Finished, Job
from bot.inference.server.api import Usage
from bot.inference.server.job_stream import JobStream, end_of, failure
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
    end = end_of(job)
    choice = TextChoice(text=text, finish_reason=end.reason)
    return _piece(job, model, int(time.time()), [choice], Usage.of(end.usage))


class TextStream(JobStream):
    def __init__(self, job: Job, model: str, *, include_usage: bool) -> None:
        super().__init__(job, self._events(include_usage))
        self._model = model
        self._created = int(time.time())

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
