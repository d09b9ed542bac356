"""One request's answer: each token that the engine reports becomes the text to send on."""

from collections.abc import Sequence as Strings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bot.inference.engines.base import Sequence
from bot.inference.grammar.json_schema import Grammar
from bot.inference.text.delta import Delta
from bot.inference.text.harmony import HarmonyParser
from bot.inference.text.prompt import ChatFormat, ToolStyle
from bot.inference.text.reasoning import Parser, parser_for
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
class Calling:
    """What an answer may call. `function` is the one that it must call, if there is one."""

    functions: frozenset[str] = frozenset()
    function: str | None = None
    parallel: bool = True


class Generation:
    """Reads the tokens of `sequence`, from the first to the last.

    It ends with the model's turn, a complete answer channel, one of the `stop` strings in the
    answer, or `max_tokens` tokens (of reasoning and answer together). When the model still reasons
    after `reasoning_budget` tokens (None: no limit), or ends its turn before any answer, the tokens
    that close what is open and begin the answer are put into `sequence.forced`; an engine that runs
    ahead may report some sampled tokens before them. A `grammar` holds the answer, not the
    reasoning.
    """

    finish_reason: Literal["stop", "length", "tool_calls", "error"] | None = None
    """Why it ended, `error` when the model gave no answer; None before."""
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
        calling: Calling = Calling(),
        grammar: Grammar | None = None,
    ) -> None:
        self._sequence = sequence
        self._stop_ids = chat_format.stop_ids
        self._stop_strings = StopStrings(stop)
        self._parser = _parser(chat_format, sequence, calling)
        self._called = False
        self._grammar = grammar
        if grammar is not None:
            sequence.mask = self._allowed
            self._lead_to_a_channel()
        self._max_tokens = max_tokens
        self._budget = reasoning_budget
        if self._budget is not None:
            self._budget = min(self._budget, max_tokens - len(self._parser.closing) - _LEAST_ANSWER)
        self._asks_left = _ASKS
        self._turn_ended = False
        """Whether the closing tokens were asked for because the model ended its turn."""
        self._until_closed: list[int] | None = None
        """Tokens since the closing ones were put into `forced`, while those have not all come."""

    def push(self, token: int) -> Delta:
        """The text that `token`, the sequence's next, makes certain; none once it is complete."""
        if self.finish_reason is not None:
            return Delta()
        self.completion_tokens += 1
        delta = self._await_closing(token) if self._until_closed is not None else self._read(token)
        if self.finish_reason is None and self.completion_tokens >= self._max_tokens:
            self.finish_reason = "length"
        return delta

    def finish(self) -> Delta:
        """What was held back in case it became a stop string, a tag or a whole character."""
        waiting = [] if self._turn_ended else self._until_closed or []
        self._until_closed = None
        delta = self._show(self._parse(waiting) + self._parser.flush())
        delta += Delta(content=self._stop_strings.flush())
        if self._called and self.finish_reason == "stop":
            self.finish_reason = "tool_calls"
        return delta

    def _read(self, token: int) -> Delta:
        if token in self._stop_ids:
            self._end_turn()
            return Delta()
        if self._grammar is not None and self._parser.answering:
            self._grammar.consume(token)
        delta = self._show(self._parse([token]))
        self._lead_to_a_channel()
        if self._parser.ended:
            self._end_turn()
        elif (
            self._parser.reasoning
            and self._budget is not None
            and self.completion_tokens >= self._budget
        ):
            self._close_reasoning()
        return delta

    def _allowed(self) -> NDArray[np.bool_] | None:
        """What the grammar allows next, while the model writes its answer."""
        if self._grammar is None or not self._parser.answering:
            return None
        return self._grammar.allowed()

    def _lead_to_a_channel(self) -> None:
        """Keep harmony from an answer without a header, which would begin free of the grammar."""
        if self._grammar is None or not isinstance(self._parser, HarmonyParser):
            return
        if self._parser.between_messages and not self._sequence.forced:
            self._sequence.forced.extend(self._parser.opening)

    def _end_turn(self) -> None:
        if self._parser.answered:
            self.finish_reason = "stop"
        elif self._asks_left:
            self._asks_left -= 1
            self._turn_ended = True
            self._close_reasoning()
        else:
            self.finish_reason = "error"

    def _close_reasoning(self) -> None:
        self._sequence.forced.extend(self._parser.closing)
        self._until_closed = []

    def _await_closing(self, token: int) -> Delta:
        """Hold tokens back until the closing ones have come, after whatever the engine sampled."""
        assert self._until_closed is not None
        self._until_closed.append(token)
        sampled = len(self._until_closed) - len(self._parser.closing)
        if sampled < 0 or self._until_closed[sampled:] != self._parser.closing:
            return Delta()
        tokens, self._until_closed = self._until_closed[:sampled], None
        if self._turn_ended:  # an engine that runs ahead has sampled beyond the end
            self._turn_ended, tokens = False, []
        return self._show(self._parse(tokens) + self._parser.close())

    def _parse(self, tokens: list[int]) -> Delta:
        """Text of `tokens` up to the end of the model's turn."""
        delta = Delta()
        for token in tokens:
            if token in self._stop_ids:
                break
            before = self._parser.reasoning
            delta += self._parser.push(token)
            self.reasoning_tokens += before and self._parser.reasoning
        return delta

    def _show(self, delta: Delta) -> Delta:
        content = self._stop_strings.push(delta.content)
        if self._stop_strings.found:
            self.finish_reason = "stop"
        self._called = self._called or bool(delta.calls)
        return Delta(delta.reasoning, content, delta.calls)


def _parser(chat_format: ChatFormat, sequence: Sequence, calling: Calling) -> Parser:
    """The parser of the answer, which begins with a call if there must be one."""
    parser = parser_for(chat_format, sequence.prompt, calling.functions)
    if calling.function is not None:
        if parser.reasoning:  # the prompt has opened it
            sequence.forced.extend(parser.closing)
        sequence.forced.extend(chat_format.call_opening(calling.function))
    if chat_format.tools is ToolStyle.TAGS and calling.functions:
        return TaggedCallsParser(parser, calling.functions, parallel=calling.parallel)
    return parser
