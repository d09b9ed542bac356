"""One replica: the service of one card, as `bot serve` has it, asked by the front."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from ray import serve
from starlette.types import Message, Scope

from bot import log, tracing
from bot.config import InferenceConfig
from bot.inference.models.sources import Progress
from bot.inference.ray.call import BufferedRequest, ResponsePart
from bot.inference.server.api import Health
from bot.inference.server.endpoints import create_app
from bot.inference.server.model import Model
from bot.inference.server.service import Service

Load = Callable[[InferenceConfig, Progress], Model]


class Replica:
    """Ready once it is made: until its model is loaded, Ray sends it nothing.

    `load` is called in a thread, as by Service.
    """

    async def __init__(self, inference: InferenceConfig, load: Load) -> None:  # type: ignore[misc]
        log.configure()
        tracing.configure("gptoss-bot-inference")
        self._name: str = serve.get_replica_context().replica_id.unique_id
        self._service = Service(
            inference.model,
            lambda progress: load(inference, progress),
            queue_limit=inference.queue_limit,
            deadline_seconds=inference.request_timeout_seconds,
        )
        api_key = inference.api_key.get_secret_value()
        self._app = create_app(self._service, api_key, inference.cors)
        self._service.start()
        await self._service.settled.wait()
        self.check_health()

    def check_health(self) -> None:
        """Raise when nothing more can be served: Ray then starts another replica in its place."""
        if self._service.failed.is_set():
            raise RuntimeError(self._service.stage.detail)

    async def __del__(self) -> None:
        # By then Ray has waited for the answers that were on their way.
        await self._service.drain(0)

    async def health(self) -> Health:
        return self._service.health()

    async def metrics(self) -> tuple[str, str]:
        """The replica's name, and what Prometheus would read at its `/metrics`."""
        parts = [
            part async for part in self.answer(BufferedRequest("GET", "/metrics", b"", [], b"", ""))
        ]
        messages = [message for part in parts for message in part.messages]
        return self._name, b"".join(m.get("body", b"") for m in messages).decode()

    async def answer(self, call: BufferedRequest) -> AsyncIterator[ResponsePart]:
        """The response, as it comes. The first part has nothing yet: it tells who has the call.

        Closing or cancelling it is to the service what a client's leaving is.
        """
        yield ResponsePart(self._name)
        state: dict[str, Any] = {}
        messages: asyncio.Queue[Message | None] = asyncio.Queue()
        left = asyncio.Event()
        body = [call.body]

        async def receive() -> Message:
            if body:
                return {"type": "http.request", "body": body.pop(), "more_body": False}
            await left.wait()
            return {"type": "http.disconnect"}

        running = asyncio.create_task(self._app(_scope(call, state), receive, messages.put))
        running.add_done_callback(lambda _: messages.put_nowait(None))
        try:
            ended = False
            while not ended:
                ready = [await messages.get()]
                while not messages.empty():
                    ready.append(messages.get_nowait())
                ended = ready[-1] is None
                job = state.get("job")
                begun = job is not None and job.first_token is not None
                yield ResponsePart(self._name, [message for message in ready if message], begun)
            await running
        finally:
            left.set()


def _scope(call: BufferedRequest, state: dict[str, Any]) -> Scope:
    """What uvicorn would say of the request; the service puts its job into `state`."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},  # from 2.4 on nobody tells who left
        "http_version": "1.1",
        "method": call.method,
        "scheme": "http",
        "path": call.path,
        "raw_path": call.path.encode(),
        "query_string": call.query,
        "root_path": "",
        "headers": list(call.headers),
        "client": None,
        "server": None,
        "state": state,
    }
