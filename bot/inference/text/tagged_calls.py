"""Tool calls between tags in the answer, as Qwen and Hermes write them."""

import json
import re
from collections.abc import Collection

from bot.inference.text.delta import CallDelta, Delta
from bot.inference.text.reasoning import Parser
from bot.inference.text.stop_strings import StopStrings

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_ARGUMENTS = re.compile(
    r'"arguments"\s*:\s*(\{.*\})\s*(?:,\s*"name"\s*:\s*"[^"]*"\s*)?\}\s*$', re.S
)
"""As they were written: reading a number and writing it again may lose some of it."""


class TaggedCallsParser:
    """Takes `<tool_call>{"name": …, "arguments": {…}}</tool_call>` out of what `parser` reads.

    A call is told when it is complete. What isn't a call of one of the `functions` stays text. With
    `parallel` false the first call ends the turn.
    """

    def __init__(self, parser: Parser, functions: Collection[str], *, parallel: bool) -> None:
        self.closing = parser.closing
        self.closing_header = parser.closing_header
        self._parser = parser
        self._functions = functions
        self._parallel = parallel
        self._outside = StopStrings([OPEN])
        self._inside: StopStrings | None = None
        self._body = ""
        self._calls = 0

    @property
    def ended(self) -> bool:
        return self._parser.ended or (bool(self._calls) and not self._parallel)

    @property
    def reasoning(self) -> bool:
        return self._parser.reasoning

    @property
    def answering(self) -> bool:
        return self._parser.answering

    @property
    def answered(self) -> bool:
        return self._parser.answered

    @property
    def calling(self) -> bool:
        return self._parser.calling

    @property
    def may_reason(self) -> int | None:
        return self._parser.may_reason

    def push(self, token: int) -> Delta:
        return self._read(self._parser.push(token))

    def close(self) -> Delta:
        return self._read(self._parser.close())

    def flush(self) -> Delta:
        shown = self._read(self._parser.flush())
        if self._inside is None:
            return shown + Delta(content=self._outside.flush())
        self._body += self._inside.flush()
        self._inside = None
        return shown + self._call(closed="")

    def _read(self, delta: Delta) -> Delta:
        return Delta(delta.reasoning) + self._read_text(delta.content)

    def _read_text(self, text: str) -> Delta:
        if self._inside is None:
            shown = self._outside.push(text)
            if self._calls and not shown.strip():
                shown = ""  # between calls
            if not self._outside.found:
                return Delta(content=shown)
            rest = self._outside.rest
            self._outside, self._inside, self._body = StopStrings([OPEN]), StopStrings([CLOSE]), ""
            return Delta(content=shown) + self._read_text(rest)
        self._body += self._inside.push(text)
        if not self._inside.found:
            return Delta()
        rest, self._inside = self._inside.rest, None
        return self._call(closed=CLOSE) + self._read_text(rest)

    def _call(self, closed: str) -> Delta:
        written = _ARGUMENTS.search(self._body)
        try:
            call = json.loads(self._body)
            name, arguments = call["name"], call["arguments"]
        except (ValueError, LookupError, TypeError):
            name = arguments = None
        if name not in self._functions or not isinstance(arguments, dict) or not written:
            return Delta(content=f"{OPEN}{self._body}{closed}")
        self._calls += 1
        return Delta(calls=(CallDelta(self._calls - 1, name, written[1]),))
