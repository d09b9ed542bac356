"""One request's answer: each token that the engine reports becomes the text to send on."""

from collections.abc import Sequence as Strings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bot.inference.engines.base import Sequence
from bot.inference.grammar.grammar import Grammar
from bot.inference.text.delta import Delta
from bot.inference.text.harmony import HarmonyParser
from bot.inference.text.prompt import ChatFormat, ToolStyle
from bot.inference.text.reasoning import Parser, PlainParser, parser_for
from bot.inference.text.stop_strings import StopStrings
from bot.inference.text.tagged_calls import TaggedCallsParser

_REASONING_SHARE = {"low": 1 / 2, "medium": 2 / 3, "high": 3 / 4}
_LEAST_ANSWER = 16
"""Tokens kept for the answer however small the request's budget is."""
_ASKS = 2
"""How often a model that ends its turn without an answer is made to begin one."""


def reasoning_budget(max_tokens: int, effort: str | None) -> int:
    """Tokens of a request's `max_tokens` that reasoning may use; the rest is the answer's.

    The share is 1/2 at low effort, 2/3 at medium and where none is given, 3/4 at high.
    """
    return int(max_tokens * _REASONING_SHARE[effort or "medium"])


@dataclass(frozen=True)
class CallPolicy:
    """The functions that an answer may call; it must call one of them if `must_call`."""

    functions: frozenset[str] = frozenset()
    must_call: bool = False
    parallel: bool = True


@dataclass(frozen=True)
class Form:
    """What a turn is held to: a grammar of each harmony message from its channel on, or of answers.

    It holds what comes of harmony's answers only if it `holds_answers`.
    """

    grammar: Grammar
    holds_answers: bool


class Generation:
    """Reads the tokens of `sequence`, from the first to the last.

    It ends with the model's turn, a complete answer channel, one of the `stop` strings in the
    answer, or `max_tokens` tokens (of reasoning and answer together). When the model still reasons
    after `reasoning_budget` tokens (None: no limit), or ends its turn before any answer, the tokens
    that close what is open and begin the answer are put into `sequence.forced`. A `form` holds
    calls and answers, not the reasoning. A `raw` text is all answer, whatever the model's format.
    """

    finish_reason: Literal["stop", "length", "tool_calls", "error"] | None = None
    """Why it ended, `error` when the model gave no answer, or its form could not be kept; None
    before."""
    completion_tokens: int = 0
    """Tokens reported so far: reasoning, answer, control tokens, forced ones."""
    reasoning_tokens: int = 0
    """Those of them that are the text of the model's reasoning."""

    def __init__(
        self,
        chat_format: ChatFormat,
        sequence: Sequence,
        *,
        max_tokens: int,
        stop: Strings[str] = (),
        reasoning_budget: int | None = None,
        calling: CallPolicy = CallPolicy(),
        form: Form | None = None,
        raw: bool = False,
    ) -> None:
        self._sequence = sequence
        self._stop_ids = chat_format.stop_ids
        self._stop_strings = StopStrings(stop)
        self._parser = PlainParser(chat_format) if raw else _parser(chat_format, sequence, calling)
        self._called = False
        self._form = form
        if form is not None:
            sequence.mask = self._allowed
            self._lead_to_a_channel()
        self._max_tokens = max_tokens
        self._budget = reasoning_budget
        if self._budget is not None:
            self._budget = min(self._budget, max_tokens - len(self._parser.closing) - _LEAST_ANSWER)
        self._asks_left = _ASKS
        self._closing_left = 0
        """Of the closing tokens that were put into `forced`, those that have not come."""

    def push(self, token: int) -> Delta:
        """The text that `token`, the sequence's next, makes certain; none once it is complete."""
        if self.finish_reason is not None:
            return Delta()
        self.completion_tokens += 1
        delta = self._await_closing() if self._closing_left else self._read(token)
        if self.finish_reason is None and self.completion_tokens >= self._max_tokens:
            self.finish_reason = "length"
        return delta

    def finish(self) -> Delta:
        """What was held back in case it became a stop string, a tag or a whole character."""
        delta = self._show(self._parser.flush())
        delta += Delta(content=self._stop_strings.flush())
        if self._called and self.finish_reason == "stop":
            self.finish_reason = "tool_calls"
        return delta

    def _read(self, token: int) -> Delta:
        if self._form and self._held and self._form.grammar.failed:
            self.finish_reason = "error"  # nothing that is not held to the form is shown
            return Delta()
        if token in self._stop_ids:
            self._end_turn()
            return Delta()
        delta = self._show(self._parse(token))
        if self._parser.ended:
            self._end_turn()
        elif (
            self._parser.reasoning
            and self._budget is not None
            and self.completion_tokens >= self._budget
        ):
            self._close_reasoning()
        else:
            self._lead_to_a_channel()
        return delta

    def _parse(self, token: int) -> Delta:
        reasoned, held = self._parser.reasoning, self._held
        delta = self._parser.push(token)
        self.reasoning_tokens += reasoned and self._parser.reasoning
        if self._form and self._held:
            if held:
                self._form.grammar.consume([token])
            else:
                self._form.grammar.restart()
        return delta

    @property
    def _held(self) -> bool:
        """Whether the form says what the next token may be."""
        if self._form is None:
            return False
        return self._parser.calling or (self._form.holds_answers and self._parser.answering)

    def _allowed(self) -> NDArray[np.int32] | None:
        """What the form allows next."""
        if self._form is None or not self._held:
            return None
        allowed = self._form.grammar.allowed()
        reasoning = self._parser.may_reason
        if allowed is not None and reasoning is not None:
            allowed.view(np.uint32)[reasoning // 32] |= np.uint32(1 << reasoning % 32)
        return allowed

    def _lead_to_a_channel(self) -> None:
        """Keep harmony from a message without a header, which would begin free of the form."""
        if self._form and isinstance(self._parser, HarmonyParser) and not self._sequence.forced:
            self._sequence.forced.extend(self._parser.opening)

    def _end_turn(self) -> None:
        if self._parser.answered:
            self.finish_reason = "stop"
        elif self._asks_left:
            self._asks_left -= 1
            self._close_reasoning()
        else:
            self.finish_reason = "error"

    def _close_reasoning(self) -> None:
        self._sequence.forced.extend(self._parser.closing)
        self._closing_left = len(self._parser.closing)

    def _await_closing(self) -> Delta:
        self._closing_left -= 1
        if self._closing_left:
            return Delta()
        delta = self._parser.close()
        if self._form:
            self._form.grammar.restart()
            self._form.grammar.consume(self._parser.closing_header)
        return self._show(delta)

    def _show(self, delta: Delta) -> Delta:
        content = self._stop_strings.push(delta.content)
        if self._stop_strings.found:
            self.finish_reason = "stop"
        self._called = self._called or bool(delta.calls)
        return Delta(delta.reasoning, content, delta.calls)


def _parser(chat_format: ChatFormat, sequence: Sequence, calling: CallPolicy) -> Parser:
    functions = calling.functions
    parser = parser_for(chat_format, sequence.prompt, functions, must_call=calling.must_call)
    if chat_format.tools is ToolStyle.TAGS and functions:
        return TaggedCallsParser(parser, functions, parallel=calling.parallel)
    return parser
