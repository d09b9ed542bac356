"""A job's events as OpenAI's chat completion: one object, or a stream of server-sent events."""

import json
import re
import time
from collections.abc import AsyncIterator
from uuid import uuid4

from starlette.requests import Request

from bot.inference.scheduler.job import Failed, Finished, Job, Queued, Started
from bot.inference.server import api
from bot.inference.server.job_stream import JobStream, end_of, failure
from bot.inference.text.delta import CallDelta, Delta

REQUEST_ID = r"[\w.-]{1,64}"


def request_id(request: Request) -> str:
    """The request's id in logs and spans: the client's X-Request-Id, as with vLLM, or a new one."""
    if not hasattr(request.state, "request_id"):
        given = request.headers.get("x-request-id", "")
        request.state.request_id = given if re.fullmatch(REQUEST_ID, given) else uuid4().hex
    known: str = request.state.request_id
    return known


def completion_id(job: Job) -> str:
    """The answer's id in OpenAI's form."""
    return f"chatcmpl-{job.request_id}"


async def completion(job: Job, model: str) -> api.ChatCompletion:
    """The complete answer. Raises ApiError when the job fails or is cancelled."""
    text = Delta()
    async for event in job:
        if isinstance(event, Delta):
            text += event
    end = end_of(job)
    reasoning = text.reasoning or None
    calls = [
        api.CallMade(
            id=call_id(job, call.index),
            function=api.CalledFunction(name=call.name, arguments=call.arguments),
        )
        for call in text.calls
    ]
    message = api.AnswerMessage(
        content=text.content or (None if calls else ""),
        reasoning_content=reasoning,
        reasoning=reasoning,
        tool_calls=calls or None,
    )
    return api.ChatCompletion(
        id=completion_id(job),
        created=int(time.time()),
        model=model,
        choices=[api.Choice(message=message, finish_reason=end.reason)],
        usage=api.Usage.of(end.usage),
    )


class CompletionStream(JobStream):
    def __init__(self, job: Job, model: str, *, include_usage: bool) -> None:
        super().__init__(job, self._events(include_usage))
        self._model = model
        self._created = int(time.time())

    async def _events(self, include_usage: bool) -> AsyncIterator[str]:
        async for event in self._job:
            match event:
                case Queued(position, eta):
                    place = api.QueuePlace(position=position, eta_seconds=eta)
                    yield self._chunk(api.ChunkDelta(), queue=place)
                case Started():
                    yield self._chunk(api.ChunkDelta(role="assistant", content=""))
                case Delta():
                    reasoning = event.reasoning or None
                    yield self._chunk(
                        api.ChunkDelta(
                            reasoning_content=reasoning,
                            reasoning=reasoning,
                            content=event.content or None,
                            tool_calls=[self._call(call) for call in event.calls] or None,
                        )
                    )
                case Finished(reason, usage):
                    yield self._chunk(api.ChunkDelta(), finish_reason=reason)
                    if include_usage:
                        yield self._chunk(None, usage=api.Usage.of(usage))
                case Failed():
                    yield f"data: {json.dumps(failure(event).body())}\n\n"
        yield "data: [DONE]\n\n"

    def _call(self, call: CallDelta) -> api.CallDelta:
        function = api.FunctionDelta(name=call.name or None, arguments=call.arguments)
        if not call.name:
            return api.CallDelta(index=call.index, function=function)
        id = call_id(self._job, call.index)
        return api.CallDelta(index=call.index, id=id, type="function", function=function)

    def _chunk(
        self,
        delta: api.ChunkDelta | None,
        *,
        finish_reason: str | None = None,
        usage: api.Usage | None = None,
        queue: api.QueuePlace | None = None,
    ) -> str:
        choices = [api.ChunkChoice(delta=delta, finish_reason=finish_reason)] if delta else []
        chunk = api.ChatCompletionChunk(
            id=completion_id(self._job),
            created=self._created,
            model=self._model,
            choices=choices,
            usage=usage,
            queue=queue,
        )
        return f"data: {chunk.model_dump_json()}\n\n"


def call_id(job: Job, index: int) -> str:
    """Its own among all answers: a client may send calls of several back."""
    return f"call_{job.calls_id}_{index}"
