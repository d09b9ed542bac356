"""An answer as the Responses API has it: items that grow, and the events that tell of them."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from bot.inference.scheduler.job import Failed, Finished, Job, Queued, Started, Usage
from bot.inference.server.completions import call_id
from bot.inference.server.job_stream import JobStream, end_of
from bot.inference.server.responses import NamedFunction, ResponseRequest
from bot.inference.text.delta import CallDelta, Delta

Item = dict[str, Any]
Event = dict[str, Any]

NO_ANSWER = "The model ended its turn without an answer, although it was asked for one twice."


class ResponseWriter:
    """Makes the response of `job` to `request` from what comes; the last item is open."""

    def __init__(self, job: Job, request: ResponseRequest) -> None:
        self._job = job
        self._request = request
        self._created = int(time.time())
        self._items: list[Item] = []
        self._open = ""
        """The kind of the last item, while it grows."""
        self._events = 0

    def response(self, status: str, usage: Usage | None = None, error: Any = None) -> Item:
        """The whole object, as it is now."""
        request = self._request
        choice: Any = request.tool_choice or "auto"
        if isinstance(choice, NamedFunction):
            choice = choice.model_dump()
        form = request.text.format if request.text else None
        return {
            "id": f"resp_{self._job.request_id}",
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": error,
            "incomplete_details": {"reason": "max_output_tokens"}
            if status == "incomplete"
            else None,
            "instructions": request.instructions,
            "max_output_tokens": request.max_output_tokens,
            "metadata": request.metadata or {},
            "model": request.model,
            "output": self._items,
            "parallel_tool_calls": request.parallel_tool_calls is not False,
            "previous_response_id": None,
            "reasoning": {
                "effort": request.reasoning and request.reasoning.effort,
                "summary": None,
            },
            "store": False,
            "temperature": request.temperature,
            "text": {
                "format": form.model_dump(by_alias=True, exclude_none=True)
                if form
                else {"type": "text"}
            },
            "tool_choice": choice,
            "tools": [tool.model_dump() for tool in request.tools or []],
            "top_p": request.top_p,
            "truncation": "disabled",
            "usage": _usage(usage) if usage else None,
            "user": request.user,
        }

    def event(self, kind: str, **fields: Any) -> Event:
        self._events += 1
        return {"type": kind, "sequence_number": self._events - 1, **fields}

    def write(self, delta: Delta) -> Iterator[Event]:
        """Add what `delta` adds; tells of it."""
        if delta.reasoning:
            yield from self._grow("reasoning", delta.reasoning)
        if delta.content:
            yield from self._grow("message", delta.content)
        for call in delta.calls:
            yield from self._write_call(call)

    def finish(self, finished: Finished) -> Iterator[Event]:
        """Close what is open and end the response."""
        yield from self._close("incomplete" if finished.reason == "length" else "completed")
        response = self.end(finished)
        yield self.event(f"response.{response['status']}", response=response)

    def end(self, finished: Finished) -> Item:
        """The whole object at its end."""
        match finished.reason:
            case "length":
                return self.response("incomplete", finished.usage)
            case "error":
                error = {"code": "server_error", "message": NO_ANSWER}
                return self.response("failed", finished.usage, error)
            case _:
                return self.response("completed", finished.usage)

    def _grow(self, kind: str, text: str) -> Iterator[Event]:
        if self._open != kind:
            yield from self._close("completed")
            yield from self._begin(kind)
        part = self._items[-1]["content"][0]
        part["text"] += text
        more: dict[str, Any] = {"logprobs": []} if kind == "message" else {}
        yield self.event(f"response.{part['type']}.delta", delta=text, **self._place(), **more)

    def _begin(self, kind: str) -> Iterator[Event]:
        item: Item
        if kind == "reasoning":
            part: Item = {"type": "reasoning_text", "text": ""}
            item = {"type": kind, "summary": []}
        else:
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            item = {"type": kind, "role": "assistant"}
        yield from self._add(item | {"content": []})
        self._items[-1]["content"].append(part)
        yield self.event("response.content_part.added", part=part, **self._place())

    def _write_call(self, call: CallDelta) -> Iterator[Event]:
        if call.name:
            yield from self._close("completed")
            yield from self._add(
                {
                    "type": "function_call",
                    "call_id": call_id(self._job, call.index),
                    "name": call.name,
                    "arguments": "",
                }
            )
        if call.arguments:
            self._items[-1]["arguments"] += call.arguments
            yield self.event(
                "response.function_call_arguments.delta",
                delta=call.arguments,
                **self._place(in_content=False),
            )

    def _add(self, item: Item) -> Iterator[Event]:
        self._open = item["type"]
        prefix = {"reasoning": "rs", "message": "msg", "function_call": "fc"}[self._open]
        number = len(self._items)
        self._items.append({"id": f"{prefix}_{self._job.request_id}_{number}", **item})
        self._items[-1]["status"] = "in_progress"
        yield self.event("response.output_item.added", item=self._items[-1], output_index=number)

    def _close(self, status: str) -> Iterator[Event]:
        if not self._open:
            return
        item = self._items[-1]
        item["status"] = status
        if self._open == "function_call":
            yield self.event(
                "response.function_call_arguments.done",
                arguments=item["arguments"],
                name=item["name"],
                **self._place(in_content=False),
            )
        else:
            part = item["content"][0]
            more: dict[str, Any] = {"logprobs": []} if self._open == "message" else {}
            yield self.event(
                f"response.{part['type']}.done", text=part["text"], **self._place(), **more
            )
            yield self.event("response.content_part.done", part=part, **self._place())
        yield self.event("response.output_item.done", item=item, output_index=len(self._items) - 1)
        self._open = ""

    def _place(self, *, in_content: bool = True) -> dict[str, Any]:
        place = {"item_id": self._items[-1]["id"], "output_index": len(self._items) - 1}
        return place | {"content_index": 0} if in_content else place


async def whole_response(job: Job, request: ResponseRequest) -> Item:
    """The complete response. Raises ApiError when the job fails or is cancelled."""
    writer = ResponseWriter(job, request)
    async for event in job:
        if isinstance(event, Delta):
            list(writer.write(event))
    finished = end_of(job)
    list(writer.finish(finished))
    return writer.end(finished)


class ResponseStream(JobStream):
    def __init__(self, job: Job, request: ResponseRequest) -> None:
        super().__init__(job, self._lines())
        self._writer = ResponseWriter(job, request)

    async def _lines(self) -> AsyncIterator[str]:
        async for event in self._events():
            yield f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"

    async def _events(self) -> AsyncIterator[Event]:
        writer = self._writer
        yield writer.event("response.created", response=writer.response("in_progress"))
        async for event in self._job:
            match event:
                case Queued(position, eta):
                    queue = {"position": position, "eta_seconds": eta}
                    response = writer.response("queued")
                    yield writer.event("response.queued", response=response, queue=queue)
                case Started():
                    response = writer.response("in_progress")
                    yield writer.event("response.in_progress", response=response)
                case Delta():
                    for told in writer.write(event):
                        yield told
                case Finished():
                    for told in writer.finish(event):
                        yield told
                case Failed(code, message):
                    error = {"code": "server_error", "message": f"{message} ({code})"}
                    response = writer.response("failed", error=error)
                    yield writer.event("response.failed", response=response)


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
