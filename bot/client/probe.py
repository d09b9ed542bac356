"""Finds what another server can't do, by asking it a question of a few tokens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any
from uuid import uuid4

from bot.client.client import InferenceClient
from bot.client.errors import Busy, NotReady, RequestRefused
from bot.client.events import Finished, ReasoningDelta, TextDelta

SECONDS = 60.0
"""How long the answer may take; a server may load the model first."""
TOKENS = 16
MESSAGES = ({"role": "user", "content": "Say OK."},)
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Looks a word up.",
        "parameters": {"type": "object", "properties": {"word": {"type": "string"}}},
    },
}
MARKS = ("<think", "<|channel|>", "[THINK]")
"""How reasoning begins if a server doesn't separate it: of most models, gpt-oss, Mistral's."""


async def shortcomings(client: InferenceClient, assumed_context: int) -> AsyncIterator[str]:
    """What the server can't do, a line each. Raises InferenceError."""
    info = await client.model_info()
    if info.context is None:
        yield f"tells no length of context: {assumed_context} tokens are assumed"
    if await client.count_tokens(MESSAGES) is None:
        yield "counts no tokens of a prompt (/tokenize): they are estimated"
    if not info.tells_queue:
        yield "tells no place in the queue and no time to wait"
    try:
        async with asyncio.timeout(SECONDS):
            async for line in _of_an_answer(client):
                yield line
    except (Busy, NotReady, TimeoutError):
        yield "was too busy to be tried: ask again later"


async def _of_an_answer(client: InferenceClient) -> AsyncIterator[str]:
    tools = [TOOL] if (await client.model_info()).tools else []
    try:
        text, reasoning, end = await _answer(client, tools)
    except RequestRefused as error:
        if not (tools and error.of_tools):
            raise
        tools = []
        text, reasoning, end = await _answer(client, tools)
    if not tools:
        yield "takes no tools: the model can call none"
    if client.takes_only_plain:
        yield "refuses what goes beyond OpenAI's oldest fields, as the effort: it gets none of it"
    if text.lstrip().startswith(MARKS) and not reasoning:
        yield "makes reasoning part of the answer: start it with the model's reasoning parser"
    if not end.completion_tokens:
        yield "reports no usage: tokens are estimated, for quotas too"


async def _answer(
    client: InferenceClient, tools: list[dict[str, Any]]
) -> tuple[str, str, Finished]:
    stream = client.chat(
        MESSAGES,
        request_id=uuid4().hex,
        effort="low",
        max_tokens=TOKENS,
        user="bot check",
        tools=tools,
    )
    text = reasoning = ""
    end = Finished("")
    async with aclosing(stream):
        async for event in stream:
            match event:
                case TextDelta(piece):
                    text += piece
                case ReasoningDelta(piece):
                    reasoning += piece
                case Finished():
                    end = event
    return text, reasoning, end
