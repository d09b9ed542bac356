"""The work on one answer: prompt, request, and what to do when that fails."""

import asyncio
import hashlib
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    stop_before_delay,
    wait_exponential,
    wait_random,
)
from tenacity.asyncio import retry_if_exception

from bot.client import (
    Busy,
    Event,
    Finished,
    InferenceClient,
    InferenceError,
    NotReady,
    PromptTooLong,
    Queued,
    ReasoningDelta,
    TextDelta,
    Unreachable,
)
from bot.config import Config, Effort
from bot.conversation.events import Author, Place, Question
from bot.conversation.history import ChatMessage, Prompt, estimate_tokens, fitting_prompt
from bot.conversation.in_effect import InEffect
from bot.conversation.reply import Reply, ReplyState, TokenCounts
from bot.conversation.system_prompt import system_prompt

log = structlog.get_logger()

ASSUMED_CONTEXT = 8192
"""Tokens of context where the service doesn't tell."""
SHRINK = 0.6
"""What is left of the context after the service found the request too long for it."""
MOST_SHRINKS = 3
PATIENCE_SECONDS = 30.0
"""How long a service is asked again that refuses though its health is fine."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0
GRACE_SECONDS = 5.0
"""Beyond the deadline, which the service keeps too: it says so first, a server that hangs never."""


@dataclass(kw_only=True)
class Answer:
    """Fills `reply` with the answer to `question`."""

    question: Question
    reply: Reply
    here: InEffect
    client: InferenceClient
    id: str = field(default_factory=lambda: uuid4().hex)
    """Joins the log lines and spans of the bot with those of the service."""
    asked: float = field(default_factory=time.monotonic)
    """When the question came, by the monotonic clock."""
    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    first_text: float | None = None
    """When something to read came, by the monotonic clock."""
    ended: float | None = None
    """When it ended, by the monotonic clock."""

    def __post_init__(self) -> None:
        self.config, self.texts = self.here.config, self.here.texts

    async def run(self) -> None:
        """Ask until there is an answer or none is to be had.

        While the service loads or restarts the request waits, up to its deadline. A service that
        refuses it though its health is fine is asked again for half a minute. A request whose
        connection broke before any text came is tried again once; one that has text ends with
        what came, and says so.
        """
        started = time.monotonic()
        deadline = started + self.config.inference.request_timeout_seconds
        allowed = self.config.inference.request_timeout_seconds + GRACE_SECONDS
        tries_left = 2
        shrinks = 0
        while True:
            try:
                await self._wait_until_ready(deadline)
                async with asyncio.timeout(allowed):
                    end, prompt = await self._ask_patiently(SHRINK**shrinks)
            except NotReady as error:
                if (await self.client.health()).ready or time.monotonic() > deadline:
                    return self._fail(self.texts("still_unavailable"), error)
                # It restarts: it was ready a moment ago.
            except PromptTooLong as error:
                shrinks += 1
                if self.reply.text or shrinks > MOST_SHRINKS:
                    return self._fail(self.lost_notice(), error)
            except Busy as error:
                wait = self.texts.duration(error.retry_after)
                return self._fail(self.texts("busy", wait=wait), error)
            except Unreachable as error:
                tries_left -= 1
                if self.reply.text or not tries_left:
                    return self._fail(self.lost_notice(), error)
                log.warning("inference service lost, trying again", error=str(error))
                self.reply.reasoning = ""
            except (InferenceError, TimeoutError) as error:
                return self._fail(self.lost_notice(), error)
            else:
                return await self._finish(end, prompt, time.monotonic() - started)

    def lost_notice(self) -> str:
        """What a person is told when no more of the answer will come."""
        return self.texts("cut_off" if self.reply.text else "failed")

    async def _wait_until_ready(self, deadline: float) -> None:
        """Wait for the service, telling how far it is. Raises InferenceError after the deadline."""
        health = await self.client.health()
        while not health.ready:
            if time.monotonic() > deadline:
                raise InferenceError(f"not ready in time: {health.status} {health.detail}")
            self.reply.stage, self.reply.progress = health.status, health.progress
            self.reply.change(ReplyState.LOADING)
            health = await self.client.next_health()
        self.reply.change(ReplyState.QUEUED)

    async def _ask_patiently(self, share: float) -> tuple[Finished, Prompt]:
        """Ask, and again with growing pauses while the service answers 503 and its health is fine.

        A proxy in front of it may do that, or a machine under load. Raises InferenceError.
        """

        async def only_refuses(error: BaseException) -> bool:
            return isinstance(error, NotReady) and (await self.client.health()).ready

        def tell(state: RetryCallState) -> None:
            pause = state.next_action.sleep if state.next_action else 0.0
            log.warning("inference service refuses, trying again", pause_seconds=round(pause, 1))
            self.reply.change(ReplyState.UNAVAILABLE)

        retrying = AsyncRetrying(
            retry=retry_if_exception(only_refuses),
            wait=_pause,
            stop=stop_before_delay(PATIENCE_SECONDS),
            before_sleep=tell,
            reraise=True,
        )
        return await retrying(self._ask, share)

    async def _ask(self, share: float) -> tuple[Finished, Prompt]:
        """One request in `share` of the context, from the prompt to the last token."""
        context = int(((await self.client.model_info()).context or ASSUMED_CONTEXT) * share)
        max_tokens = answer_tokens(self.config, self.reply.effort, context)
        budget = prompt_tokens(self.config, self.reply.effort, context)
        prompt = await fitting_prompt(
            system_prompt(self.here, self.asked_at), self.question, budget, self._count_tokens
        )
        sampling = self.here.persona.sampling
        stream = self.client.chat(
            prompt.messages,
            request_id=self.id,
            effort=self.reply.effort,
            max_tokens=max_tokens,
            user=_fair_share_key(self.here.place, self.question.message.author),
            weight=self._weight(),
            cache_salt=_cache_salt(self.config, self.here.place),
            sampling=sampling.model_dump(exclude_none=True) if sampling else None,
        )
        async with aclosing(stream):
            async for event in stream:
                if isinstance(event, Finished):
                    return event, prompt
                if not isinstance(event, Queued):
                    # Until the service tells: it may be stopped before it does.
                    self.reply.prompt_tokens = estimate_tokens(prompt.messages)
                self._apply(event)
        raise Unreachable("the stream ended before the answer did")

    def _weight(self) -> float:
        server = self.config.servers.get(self.here.place.server)
        return 1.0 if server is None else server.weight

    def _apply(self, event: Event) -> None:
        reply = self.reply
        if self.first_text is None and not isinstance(event, Queued):
            self.first_text = time.monotonic()
        match event:
            case Queued(position, eta_seconds):
                reply.position, reply.eta_seconds = position, eta_seconds
                reply.change(ReplyState.QUEUED)
            case ReasoningDelta(text):
                reply.reasoning += text
                reply.completion_tokens += 1
                reply.change(ReplyState.THINKING)
            case TextDelta(text):
                reply.text += text
                reply.completion_tokens += 1
                reply.change(ReplyState.WRITING)

    async def _finish(self, end: Finished, prompt: Prompt, seconds: float) -> None:
        reply, texts = self.reply, self.texts
        if prompt.cut_characters:
            reply.notices.append(texts("question_cut", count=prompt.cut_characters))
        if end.reason == "length":
            reply.notices.append(texts(await self._length_notice()))
        in_answer = end.completion_tokens - end.reasoning_tokens
        reply.usage = TokenCounts(
            end.prompt_tokens, end.reasoning_tokens, in_answer, seconds, end.cached_tokens
        )
        reply.prompt_tokens = end.prompt_tokens
        reply.completion_tokens = end.completion_tokens
        if reply.text.strip():
            reply.change(ReplyState.DONE)
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


def _pause(state: RetryCallState) -> float:
    """Seconds before the next try, at least as long as the server asked for."""
    error = state.outcome and state.outcome.exception()
    first = FIRST_PAUSE_SECONDS
    growing = wait_exponential(first, max=LONGEST_PAUSE_SECONDS) + wait_random(0, first)
    return max(growing(state), error.retry_after if isinstance(error, NotReady) else 0.0)


def answer_tokens(config: Config, effort: Effort, context: int | None) -> int:
    """Tokens that an answer may have; half of a small context stays for the conversation."""
    return min(config.efforts[effort].max_tokens, (context or ASSUMED_CONTEXT) // 2)


def prompt_tokens(config: Config, effort: Effort, context: int | None) -> int:
    """Tokens that a prompt may have: what the answer leaves of the context, or less if set so."""
    room = (context or ASSUMED_CONTEXT) - answer_tokens(config, effort, context)
    return min(room, config.conversation.max_tokens or room)


def _fair_share_key(place: Place, author: Author) -> str:
    """`server/user` for the service's fair queue, hashed: ids stay in the bot."""
    ids = (f"{place.platform}:{place.server}", f"{place.platform}:{author.id}")
    return "/".join(hashlib.blake2s(part.encode(), digest_size=8).hexdigest() for part in ids)


def _cache_salt(config: Config, place: Place) -> str:
    """Keeps a server's prompts to itself in the service's cache, where times would tell of them.

    Keyed with the bot's secrets, so that nobody can compute it from a server's id.
    """
    secrets = (
        config.discord.token,
        config.slack.bot_token,
        config.slack.client_secret,
        config.inference.api_key,
    )
    joined = "\n".join(secret.get_secret_value() for secret in secrets)
    key = hashlib.blake2b(joined.encode()).digest()
    server = f"{place.platform}:{place.server}"
    return hashlib.blake2b(server.encode(), key=key, digest_size=16).hexdigest()
