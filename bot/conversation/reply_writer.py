"""Writes into a reply what its requests bring, one after the other, and counts their tokens."""

import time
from dataclasses import replace

from bot.client import CallDelta, Event, Finished, Queued, ReasoningDelta, TextDelta
from bot.conversation.reply import Reply, ReplyState, TokenCounts
from bot.tools import Session


class ReplyWriter:
    """session: the answer's tools, which decide what of the model's text is shown."""

    def __init__(self, reply: Reply, session: Session) -> None:
        self.counts = TokenCounts(0, 0, 0, 0.0)
        """Of the requests that have ended."""
        self._reply = reply
        self._session = session
        self._text_before = self._reasoning_before = 0
        """Characters that earlier requests brought."""
        self._estimate = 0
        """Tokens of the prompt of the latest request."""

    @property
    def said(self) -> str:
        """What the latest request brought of the answer."""
        return self._reply.text[self._text_before :].strip()

    @property
    def wrote(self) -> bool:
        """Whether the latest request brought any text, which people may have seen."""
        return len(self._reply.text) > self._text_before

    @property
    def thought(self) -> str:
        """What the latest request brought of reasoning."""
        return self._reply.reasoning[self._reasoning_before :].strip()

    def expect(self, prompt_tokens: int) -> None:
        """The request to come has a prompt of about so many tokens."""
        self._estimate = prompt_tokens

    def write(self, event: Event) -> None:
        """Write what the latest request brings."""
        reply = self._reply
        if not isinstance(event, Queued):
            reply.prompt_tokens = self.counts.prompt_tokens + self._estimate
            reply.first_text_at = reply.first_text_at or time.monotonic()
        match event:
            case Queued(position, eta_seconds):
                reply.position, reply.eta_seconds = position, eta_seconds
                reply.change(ReplyState.QUEUED)
            case ReasoningDelta(text):
                apart = reply.reasoning and len(reply.reasoning) == self._reasoning_before
                reply.reasoning += f"\n\n{text}" if apart else text
                reply.completion_tokens += 1
                reply.change(ReplyState.THINKING)
            case TextDelta(text):
                self._add_text(self._session.shown(text))
                reply.completion_tokens += 1
                reply.change(ReplyState.WRITING)
            case CallDelta():
                reply.completion_tokens += 1

    def drop_thoughts(self) -> None:
        """The latest request is sent again: it thinks from the start."""
        self._reply.reasoning = self._reply.reasoning[: self._reasoning_before]

    def end(self, end: Finished) -> int:
        """The latest request has ended; returns the tokens that it wrote.

        What a server doesn't tell is estimated.
        """
        self._add_text(self._session.rest())
        counts, reply = self.counts, self._reply
        if not end.completion_tokens:
            written = reply.completion_tokens - counts.reasoning_tokens - counts.answer_tokens
            end = replace(end, prompt_tokens=self._estimate, completion_tokens=written)
        self.counts = counts = TokenCounts(
            counts.prompt_tokens + end.prompt_tokens,
            counts.reasoning_tokens + end.reasoning_tokens,
            counts.answer_tokens + end.completion_tokens - end.reasoning_tokens,
            0.0,
            counts.cached_tokens + end.cached_tokens,
        )
        reply.prompt_tokens = counts.prompt_tokens
        reply.completion_tokens = counts.reasoning_tokens + counts.answer_tokens
        return end.completion_tokens

    def begin_next(self) -> None:
        """Another request follows."""
        self._text_before = len(self._reply.text)
        self._reasoning_before = len(self._reply.reasoning)

    def _add_text(self, text: str) -> None:
        """Add to the answer; what another request brings begins a paragraph."""
        apart = text and self._reply.text and len(self._reply.text) == self._text_before
        self._reply.text += f"\n\n{text.lstrip()}" if apart else text
