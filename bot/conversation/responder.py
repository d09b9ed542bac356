"""Answers questions, several at a time, and knows which answers are running where."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog
from structlog.contextvars import bound_contextvars

from bot.client import InferenceClient
from bot.config import Effort
from bot.conversation import metrics
from bot.conversation.answer import Answer
from bot.conversation.catching_up import CatchUp, Summary
from bot.conversation.events import Place, Question
from bot.conversation.in_effect import InEffect
from bot.conversation.reply import Reply, ReplyState, TokenCounts
from bot.tools import Toolbox
from bot.tracing import tracer

log = structlog.get_logger()


REMEMBERED = 2000
"""Finished answers whose costs are remembered."""


@dataclass(frozen=True)
class FinishedAnswer:
    """The cost of a finished answer; `persona` is "" where the channel has its own prompt."""

    place: Place
    asker: str
    persona: str
    effort: Effort
    usage: TokenCounts


class Responder:
    """Starts replies, stops them on request, and ends them all at shutdown."""

    def __init__(self, client: InferenceClient, toolbox: Toolbox) -> None:
        self._client = client
        self.toolbox = toolbox
        self._running: dict[asyncio.Task[None], Answer] = {}
        self.on_end: list[Callable[[Answer], None]] = []
        """What is told of each answer that has ended."""
        self._finished: deque[FinishedAnswer] = deque(maxlen=REMEMBERED)

    def answer(self, question: Question, here: InEffect) -> Reply:
        """Begin to answer; the reply fills by itself and is followed with `reply.updates()`."""
        reply = Reply(
            asker=question.message.author.id,
            effort=here.effort.value,
            show_reasoning=here.settings.show_reasoning.value,
        )
        reply.notices.extend(question.notices)
        client, toolbox = self._client, self.toolbox
        answer = (
            Summary(question=question, reply=reply, here=here, client=client, toolbox=toolbox)
            if isinstance(question, CatchUp)
            else Answer(question=question, reply=reply, here=here, client=client, toolbox=toolbox)
        )
        task = asyncio.create_task(self._run(answer))
        self._running[task] = answer
        task.add_done_callback(self._running.pop)
        return reply

    def running(self, place: Place) -> list[Reply]:
        """The unfinished replies in the thread or channel of `place`, oldest first.

        Those in a channel's threads are in the channel too.
        """
        return [answer.reply for answer in self.answers if _is_in(answer.here.place, place)]

    def last_answer(self, place: Place, asker: str) -> FinishedAnswer | None:
        """The newest answer to a person in the thread or channel of `place`, of this run."""
        for finished in reversed(self._finished):
            if finished.asker == asker and _is_in(finished.place, place):
                return finished
        return None

    @property
    def answers(self) -> list[Answer]:
        """All that are waited for or written now, oldest first."""
        return list(self._running.values())

    async def drain(self, grace_seconds: float) -> None:
        """Let running replies finish for `grace_seconds`, then stop them.

        Those that wait for a person are stopped at once.
        """
        for answer in self.answers:
            if answer.reply.approval is not None:
                answer.reply.stop()
        if self._running:
            await asyncio.wait(self._running, timeout=grace_seconds)
        for answer in self.answers:
            answer.reply.stop()
        if self._running:
            await asyncio.wait(self._running)

    async def _run(self, answer: Answer) -> None:
        """Work on the reply until it is final or somebody stops it, and record how it went."""
        reply, platform = answer.reply, answer.here.place.platform
        with (
            bound_contextvars(request_id=answer.id),
            tracer.start_as_current_span("answer") as span,
        ):
            with metrics.RUNNING.labels(platform).track_inprogress():
                await self._work(answer)
            answer.ended = time.monotonic()
            seconds = answer.ended - answer.asked
            about = {"platform": platform, "effort": reply.effort, "outcome": reply.state.value}
            span.set_attributes({f"bot.{key}": value for key, value in about.items()})
            try:
                self._record(answer, seconds)
            except Exception:
                log.exception("an answer that ended was not counted")
            # Last: who reads this line finds the answer counted.
            log.info("answer ended", **about, seconds=round(seconds, 3))

    def _record(self, answer: Answer, seconds: float) -> None:
        """Count an answer that took so many seconds, and tell those who want to know."""
        reply, here = answer.reply, answer.here
        platform = here.place.platform
        metrics.ANSWERS.labels(platform, reply.state).inc()
        metrics.ANSWER.labels(platform).observe(seconds)
        if reply.first_text_at is not None:
            metrics.FIRST_TEXT.labels(platform).observe(reply.first_text_at - answer.asked)
        if reply.usage is not None:
            persona = here.persona.name
            finished = FinishedAnswer(here.place, reply.asker, persona, reply.effort, reply.usage)
            self._finished.append(finished)
        for tell in self.on_end:
            tell(answer)

    async def _work(self, answer: Answer) -> None:
        reply = answer.reply
        work = asyncio.create_task(answer.run())
        stop = asyncio.create_task(reply.stop_requested())
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        work.cancel()  # closes the stream, which frees the engine; nothing if it is done
        await asyncio.wait({work})
        if not work.cancelled() and (error := work.exception()):
            log.error("answer failed unexpectedly", exc_info=error)
            reply.change(ReplyState.FAILED, answer.lost_notice())
        reply.change(ReplyState.STOPPED)


def _is_in(where: Place, place: Place) -> bool:
    """Whether `where` is `place`, or a thread in it."""
    return where == place or (place.thread is None and replace(where, thread=None) == place)
