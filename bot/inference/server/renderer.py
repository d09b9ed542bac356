"""Makes prompts of requests, in a thread of its own beside the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from bot.inference.server.errors import ApiError
from bot.inference.server.messages import Message, chat_turns
from bot.inference.server.model import Model
from bot.inference.server.preparation import (
    PreparedRequest,
    calling_of,
    form_of,
    prepare,
    prepare_text,
    too_long,
)
from bot.inference.server.requests import ChatRequest, CompletionRequest
from bot.inference.text.prompt import PromptTooLong
from bot.inference.text.turns import PromptError

T = TypeVar("T")


class Renderer:
    """At most `limit` requests wait for it. Its methods raise ApiError."""

    def __init__(self, limit: int) -> None:
        self.pending = 0
        """Requests whose messages are being made a prompt, or wait for that."""
        self._limit = limit
        # One thread, because tokenizers are not made for several.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="render")

    def close(self) -> None:
        self._thread.shutdown(wait=False)

    async def prepare_chat(self, model: Model, request: ChatRequest) -> PreparedRequest:
        """What the engine is given for a chat request."""
        calling = calling_of(model, request)
        tools = [function.model_dump() for function in request.offered]
        prompt = await self.render(model, request.messages, request.effort, tools)
        form = None
        if request.offered or request.response_format:
            form = await self._run(partial(form_of, model, request, calling))
        return prepare(model, request, prompt, calling, form)

    async def prepare_text(self, model: Model, request: CompletionRequest) -> PreparedRequest:
        """What the engine is given for a request to complete a text."""
        prompt = request.prompt
        if isinstance(prompt, str):
            context = model.engine.context
            try:
                encode = partial(model.chat_format.encode, prompt, most=context)
                prompt = await self._run(encode)
            except PromptTooLong as error:
                raise too_long(context, str(error), "prompt") from error
        return prepare_text(model, request, prompt)

    async def render(
        self,
        model: Model,
        messages: list[Message],
        effort: str | None,
        tools: list[dict[str, Any]] | None = None,
    ) -> list[int]:
        """The token ids of the prompt that the messages make."""
        context = model.engine.context
        render = partial(model.chat_format.render, most=context, tools=tools or [])
        try:
            return await self._run(partial(render, chat_turns(messages), effort))
        except PromptTooLong as error:
            raise too_long(context, str(error)) from error
        except PromptError as error:
            raise ApiError(400, str(error), param="messages") from error

    async def _run(self, work: Callable[[], T]) -> T:
        """What `work` returns, run in the thread; raises ApiError if too many requests wait."""
        if self.pending > self._limit:
            raise ApiError(429, "Too many requests at once.", code="queue_full", retry_after=1)
        self.pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self.pending -= 1
