"""The work on one answer: prompt, requests, calls, and what to do when a request fails."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import structlog

from bot.client import (
    Busy,
    Finished,
    InferenceClient,
    InferenceError,
    NotReady,
    PromptTooLong,
    Queued,
    RequestRefused,
    Unreachable,
)
from bot.conversation.budget import ASSUMED_CONTEXT, answer_tokens, prompt_tokens
from bot.conversation.events import Question
from bot.conversation.history import ChatMessage, Prompt, estimate_tokens, fitting_prompt
from bot.conversation.in_effect import InEffect
from bot.conversation.keys import cache_salt, fair_share_key
from bot.conversation.reply import Reply, ReplyState
from bot.conversation.reply_writer import ReplyWriter
from bot.conversation.system_prompt import system_prompt
from bot.conversation.tool_context import context_of_question
from bot.conversation.tool_use import TURNS_SHARE, ToolUse, tokens_of, without_dots
from bot.conversation.waiting import patiently, until_ready
from bot.tools import ToolProvider

log = structlog.get_logger()

SHRINK = 0.6
"""What is left of the context after the service found the request too long for it."""
MOST_SHRINKS = 3
GRACE_SECONDS = 5.0
"""Beyond the deadline, which the service keeps too: it says so first, a server that hangs never."""


RequestEnd = tuple[Finished, Prompt, bool]
"""The end of a request, its prompt, and whether the model might call something in it."""


@dataclass(kw_only=True)
class Answer:
    """Fills `reply` with the answer to `question`."""

    question: Question
    reply: Reply
    here: InEffect
    client: InferenceClient
    toolbox: ToolProvider
    id: str = field(default_factory=lambda: uuid4().hex)
    """Joins the log lines and spans of the bot with those of the service."""
    asked: float = field(default_factory=time.monotonic)
    """When the question came, by the monotonic clock."""
    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    first_text: float | None = None
    """When something to read came, by the monotonic clock."""
    ended: float | None = None
    """When it ended, by the monotonic clock."""
    cuts: bool = True
    """Whether a question that is too long is cut; if not, `run` raises PromptTooLong."""

    def __post_init__(self) -> None:
        self.config, self.texts = self.here.config, self.here.texts
        self._tool_use: ToolUse
        self._writer: ReplyWriter

    async def run(self) -> None:
        """Ask, make the calls that the model wants made, and ask again with their results."""
        started = time.monotonic()
        session = await self.toolbox.open(
            self.config, context_of_question(self.question, self.here)
        )
        self._tool_use = ToolUse(session, self.reply, self.config.tools.max_calls)
        self._writer = ReplyWriter(self.reply, session)
        while (ended := await self._request()) is not None:
            end, prompt, offered = ended
            self._tool_use.used += self._writer.end(end)
            if not (end.calls and offered):
                return await self._finish(end, prompt, time.monotonic() - started)
            await self._tool_use.make(self._writer.said, self._writer.thought, end.calls)
            self._writer.begin_next()
        return None

    async def _request(self) -> RequestEnd | None:
        """Ask until an answer has ended; None where none is to be had, of which the reply tells.

        While the service loads or restarts the request waits, up to its deadline. A service that
        refuses it though its health is fine is asked again for half a minute. A request whose
        connection broke before any text came is tried again once; one that has text ends with
        what came, and says so.
        """
        deadline = time.monotonic() + self.config.inference.request_timeout_seconds
        allowed = self.config.inference.request_timeout_seconds + GRACE_SECONDS
        tries_left = 2
        shrinks = 0
        while True:
            try:
                await until_ready(self.client, self.reply, deadline)
                async with asyncio.timeout(allowed):
                    return await patiently(self.client, self.reply, self._ask, SHRINK**shrinks)
            except NotReady as error:
                if (await self.client.health()).ready or time.monotonic() > deadline:
                    self._fail(self.texts("still_unavailable"), error)
                    return None
                # It restarts: it was ready a moment ago.
            except PromptTooLong as error:
                if not self.cuts:
                    raise
                shrinks += 1
                if self._writer.wrote or shrinks > MOST_SHRINKS:
                    self._fail(self.lost_notice(), error)
                    return None
            except Busy as error:
                wait = self.texts.duration(error.retry_after)
                self._fail(self.texts("busy", wait=wait), error)
                return None
            except Unreachable as error:
                tries_left -= 1
                if self._writer.wrote or not tries_left:
                    self._fail(self.lost_notice(), error)
                    return None
                log.warning("inference service lost, trying again", error=str(error))
                self._writer.drop_thoughts()
            except (InferenceError, TimeoutError) as error:
                self._fail(self.lost_notice(), error)
                return None

    def lost_notice(self) -> str:
        """What a person is told when no more of the answer will come."""
        return self.texts("cut_off" if self.reply.text else "failed")

    async def _ask(self, share: float) -> RequestEnd:
        """One request in `share` of the context, from the prompt to the last token.

        A service that refuses tools is asked without; that is remembered once it answers so.
        """
        context = int(((await self.client.model_info()).context or ASSUMED_CONTEXT) * share)
        budget = answer_tokens(self.config, self.reply.effort, context)
        max_tokens = self._tool_use.tokens(budget)
        room = prompt_tokens(self.config, self.reply.effort, context)
        offered = self._tool_use.offered(budget) if await self.client.takes_tools() else []
        if self.client.refuses_dots:
            offered = without_dots(offered)
        if (needed := tokens_of(offered)) > room // TURNS_SHARE:
            log.warning("the tools have no room in the context", tokens=needed)
            offered = []
        room -= tokens_of(offered)
        turns = self._tool_use.turns(room // TURNS_SHARE)
        prompt = await fitting_prompt(
            system_prompt(self.here, self.asked_at),
            self.question,
            room - tokens_of(turns),
            self._count_tokens,
        )
        if prompt.cut_characters and not self.cuts:
            raise PromptTooLong("a part of a longer text is too long for the context")
        messages = [*prompt.messages, *turns]
        # Until the service tells: it may be stopped before it does.
        self._writer.expect(estimate_tokens(prompt.messages) + tokens_of(turns))
        try:
            return await self._stream(messages, max_tokens, offered), prompt, bool(offered)
        except RequestRefused as error:
            if self._writer.said or self._writer.thought or not error.of_tools:
                raise
            if offered and offered != without_dots(offered) and not self.client.refuses_dots:
                self.client.refuses_dots = True
                return await self._ask(share)
            if offered:
                before = self.client.takes_only_plain
                end = await self._stream(messages, max_tokens, [])
                if self.client.takes_only_plain == before:  # else it was refused for other fields
                    self.client.refuse_tools()
            elif turns:  # some servers take calls back only beside the tools
                tools = self._tool_use.definitions
                tools = without_dots(tools) if self.client.refuses_dots else tools
                end = await self._stream(messages, max_tokens, tools, may_call=False)
            else:
                raise
            return end, prompt, False

    async def _stream(
        self,
        messages: Sequence[dict[str, Any]],
        max_tokens: int,
        tools: Sequence[dict[str, Any]],
        *,
        may_call: bool = True,
    ) -> Finished:
        """Fill the reply with what comes. Raises InferenceError."""
        self._tool_use.session.rest()  # of a request that broke off
        sampling = self.here.persona.sampling
        stream = self.client.chat(
            messages,
            request_id=self.id,
            effort=self.reply.effort,
            max_tokens=max_tokens,
            user=fair_share_key(self.here.place, self.question.message.author),
            weight=self._weight(),
            cache_salt=cache_salt(self.config, self.here.place),
            sampling=sampling.model_dump(exclude_none=True) if sampling else None,
            tools=tools,
            may_call=may_call,
        )
        async with aclosing(stream):
            async for event in stream:
                if isinstance(event, Finished):
                    return event
                if self.first_text is None and not isinstance(event, Queued):
                    self.first_text = time.monotonic()
                self._writer.write(event)
        raise Unreachable("the stream ended before the answer did")

    def _weight(self) -> float:
        server = self.config.servers.get(self.here.place.server)
        return 1.0 if server is None else server.weight

    async def _finish(self, end: Finished, prompt: Prompt, seconds: float) -> None:
        reply, texts = self.reply, self.texts
        reply.sources = self._tool_use.session.sources
        if prompt.cut_characters:
            reply.notices.append(texts("question_cut", count=prompt.cut_characters))
        if end.reason == "length":
            reply.notices.append(texts(await self._length_notice()))
        reply.usage = replace(self._writer.counts, seconds=seconds)
        if self._writer.said:
            reply.change(ReplyState.DONE)
        elif self._tool_use.begun or end.calls:
            reply.change(ReplyState.FAILED, texts("only_called"))
        elif reply.reasoning:
            reply.change(ReplyState.FAILED, texts("only_thought"))
        else:
            reply.change(ReplyState.FAILED, texts("nothing_written"))

    async def _length_notice(self) -> str:
        """The key of what to say of an answer at its limit; a higher effort may have no more."""
        effort, context = self.reply.effort, (await self.client.model_info()).context
        limit, higher = (answer_tokens(self.config, e, context) for e in (effort, effort.harder))
        return "length_reached_higher" if higher > limit else "length_reached"

    async def _count_tokens(self, messages: list[ChatMessage]) -> int:
        exact = await self.client.count_tokens(messages)
        return estimate_tokens(messages) if exact is None else exact

    def _fail(self, notice: str, error: Exception) -> None:
        log.warning("answer failed", error=str(error), kind=type(error).__name__)
        self.reply.change(ReplyState.FAILED, notice)
