"""The requests of one answer to the inference service, and what to do when one fails."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from bot.client import (
    Busy,
    Finished,
    InferenceClient,
    InferenceError,
    NotReady,
    PromptTooLong,
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
from bot.conversation.texts import Texts
from bot.conversation.tool_use import TURNS_SHARE, ToolUse, tokens_of, without_dots
from bot.conversation.waiting import patiently, until_ready
from bot.tools import Session

log = structlog.get_logger()

SHRINK = 0.6
"""What is left of the context after the service found the request too long for it."""
MOST_SHRINKS = 3
GRACE_SECONDS = 5.0
"""Beyond the deadline, which the service keeps too: it says so first, a server that hangs never."""


@dataclass(frozen=True)
class RequestEnd:
    """How a request ended.

    offered: whether the model was offered tools in it.
    """

    finished: Finished
    prompt: Prompt
    offered: bool


class Requests:
    """Asks the model for one answer, again after each tool call, and fills the reply.

    session: the tools of the answer.
    id: joins the log lines and spans of the bot with those of the service.
    asked_at: when the question came.
    cuts: whether a question that is too long is cut; if not, `next` raises PromptTooLong.
    """

    def __init__(
        self,
        question: Question,
        reply: Reply,
        here: InEffect,
        client: InferenceClient,
        session: Session,
        *,
        id: str,
        asked_at: datetime,
        cuts: bool,
    ) -> None:
        self._question = question
        self._reply = reply
        self._here = here
        self._client = client
        self._id = id
        self._asked_at = asked_at
        self._cuts = cuts
        self._config, self._texts = here.config, here.texts
        self.tool_use = ToolUse(session, reply, here.config.tools.max_calls)
        self.writer = ReplyWriter(reply, session)

    async def next(self) -> RequestEnd | None:
        """Send the next request and wait for its end; None if it failed, and the reply says why.

        While the service loads or restarts the request waits, up to its deadline. A service that
        refuses it though its health is fine is asked again for half a minute. A request whose
        connection broke before any text came is tried again once; one that has text ends with
        what came, and says so.
        """
        deadline = time.monotonic() + self._config.inference.request_timeout_seconds
        allowed = self._config.inference.request_timeout_seconds + GRACE_SECONDS
        tries_left = 2
        shrinks = 0
        while True:
            try:
                await until_ready(self._client, self._reply, deadline)
                async with asyncio.timeout(allowed):
                    return await patiently(self._client, self._reply, self._ask, SHRINK**shrinks)
            except NotReady as error:
                if (await self._client.health()).ready or time.monotonic() > deadline:
                    self._fail(error, self._texts("still_unavailable"))
                    return None
                # It restarts: it was ready a moment ago.
            except PromptTooLong as error:
                if not self._cuts:
                    raise
                shrinks += 1
                if self.writer.wrote or shrinks > MOST_SHRINKS:
                    self._fail(error)
                    return None
            except Busy as error:
                wait = self._texts.duration(error.retry_after)
                self._fail(error, self._texts("busy", wait=wait))
                return None
            except Unreachable as error:
                tries_left -= 1
                if self.writer.wrote or not tries_left:
                    self._fail(error)
                    return None
                log.warning("inference service lost, trying again", error=str(error))
                self.writer.drop_thoughts()
            except (InferenceError, TimeoutError) as error:
                self._fail(error)
                return None

    async def _ask(self, share: float) -> RequestEnd:
        """One request in `share` of the context, from the prompt to the last token.

        A service that refuses tools is asked without; that is remembered once it answers so.
        """
        context = int(((await self._client.model_info()).context or ASSUMED_CONTEXT) * share)
        budget = answer_tokens(self._config, self._reply.effort, context)
        max_tokens = self.tool_use.tokens(budget)
        room = prompt_tokens(self._config, self._reply.effort, context)
        offered = self.tool_use.offered(budget) if await self._client.takes_tools() else []
        if self._client.refuses_dots:
            offered = without_dots(offered)
        if (needed := tokens_of(offered)) > room // TURNS_SHARE:
            log.warning("the tools have no room in the context", tokens=needed)
            offered = []
        room -= tokens_of(offered)
        turns = self.tool_use.turns(room // TURNS_SHARE)
        prompt = await fitting_prompt(
            system_prompt(self._here, self._asked_at),
            self._question,
            room - tokens_of(turns),
            partial(count_tokens, self._client),
        )
        if prompt.cut_characters and not self._cuts:
            raise PromptTooLong("a part of a longer text is too long for the context")
        messages = [*prompt.messages, *turns]
        # An estimate until the service reports the count: the answer may be stopped before that.
        self.writer.expect(estimate_tokens(prompt.messages) + tokens_of(turns))
        try:
            end = await self._stream(messages, max_tokens, offered)
            return RequestEnd(end, prompt, bool(offered))
        except RequestRefused as error:
            if self.writer.said or self.writer.thought or not error.of_tools:
                raise
            if offered and offered != without_dots(offered) and not self._client.refuses_dots:
                self._client.refuses_dots = True
                return await self._ask(share)
            if offered:
                before = self._client.takes_only_plain
                end = await self._stream(messages, max_tokens, [])
                if self._client.takes_only_plain == before:  # else it was refused for other fields
                    self._client.refuse_tools()
            elif turns:  # some servers take calls back only beside the tools
                tools = self.tool_use.definitions
                tools = without_dots(tools) if self._client.refuses_dots else tools
                end = await self._stream(messages, max_tokens, tools, may_call=False)
            else:
                raise
            return RequestEnd(end, prompt, offered=False)

    async def _stream(
        self,
        messages: Sequence[dict[str, Any]],
        max_tokens: int,
        tools: Sequence[dict[str, Any]],
        *,
        may_call: bool = True,
    ) -> Finished:
        """Fill the reply with what comes. Raises InferenceError."""
        self.tool_use.session.rest()  # of a request that broke off
        sampling = self._here.persona.sampling
        stream = self._client.chat(
            messages,
            request_id=self._id,
            effort=self._reply.effort,
            max_tokens=max_tokens,
            user=fair_share_key(self._here.place, self._question.message.author),
            weight=self._weight(),
            cache_salt=cache_salt(self._config, self._here.place),
            sampling=sampling.model_dump(exclude_none=True) if sampling else None,
            tools=tools,
            may_call=may_call,
        )
        async with aclosing(stream):
            async for event in stream:
                if isinstance(event, Finished):
                    return event
                self.writer.write(event)
        raise Unreachable("the stream ended before the answer did")

    def _weight(self) -> float:
        server = self._config.servers.get(self._here.place.server)
        return 1.0 if server is None else server.weight

    def _fail(self, error: Exception, notice: str | None = None) -> None:
        fail(self._reply, notice or lost_notice(self._reply, self._texts), error)


async def count_tokens(client: InferenceClient, messages: list[ChatMessage]) -> int:
    """Tokens of the prompt that the messages make; estimated where the server doesn't count."""
    exact = await client.count_tokens(messages)
    return estimate_tokens(messages) if exact is None else exact


def lost_notice(reply: Reply, texts: Texts) -> str:
    """What the person is told when no more of the answer will come."""
    return texts("cut_off" if reply.text else "failed")


def fail(reply: Reply, notice: str, error: Exception) -> None:
    """End the reply with a notice for the person; the error goes into the log."""
    log.warning("answer failed", error=str(error), kind=type(error).__name__)
    reply.change(ReplyState.FAILED, notice)
