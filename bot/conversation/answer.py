"""The work on one answer: ask the model, make the calls that it wants, and ask again."""

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

from bot.client import InferenceClient
from bot.conversation.budget import answer_tokens
from bot.conversation.events import Question
from bot.conversation.in_effect import InEffect
from bot.conversation.reply import Reply, ReplyState
from bot.conversation.requests import RequestEnd, Requests, lost_notice
from bot.conversation.tool_context import context_of_question
from bot.tools import ToolProvider


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
    ended: float | None = None
    """When it ended, by the monotonic clock."""
    cuts: bool = True
    """Whether a question that is too long is cut; if not, `run` raises PromptTooLong."""

    def __post_init__(self) -> None:
        self.config, self.texts = self.here.config, self.here.texts

    async def run(self) -> None:
        """Ask, make the calls that the model wants made, and ask again with their results."""
        started = time.monotonic()
        context = context_of_question(self.question, self.here)
        requests = Requests(
            self.question,
            self.reply,
            self.here,
            self.client,
            await self.toolbox.open(self.config, context),
            id=self.id,
            asked_at=self.asked_at,
            cuts=self.cuts,
        )
        writer, tool_use = requests.writer, requests.tool_use
        while (end := await requests.next()) is not None:
            calls = end.finished.calls
            tool_use.used += writer.end(end.finished)
            if not (calls and end.offered):
                return await self._finish(end, requests, time.monotonic() - started)
            await tool_use.make(writer.said, writer.thought, calls)
            writer.begin_next()
        return None

    def lost_notice(self) -> str:
        """What the person is told when no more of the answer will come."""
        return lost_notice(self.reply, self.texts)

    async def _finish(self, end: RequestEnd, requests: Requests, seconds: float) -> None:
        reply, texts, tool_use = self.reply, self.texts, requests.tool_use
        reply.sources = tool_use.session.sources
        if end.prompt.cut_characters:
            reply.notices.append(texts("question_cut", count=end.prompt.cut_characters))
        if end.finished.reason == "length":
            reply.notices.append(texts(await self._length_notice()))
        reply.usage = replace(requests.writer.counts, seconds=seconds)
        if requests.writer.said:
            reply.change(ReplyState.DONE)
        elif tool_use.begun or end.finished.calls:
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
