"""gpt-oss's format: messages with headers, told apart into reasoning, answer and tool calls.

`<|start|>ROLE<|channel|>CHANNEL<|message|>TEXT<|end|>`, where the prompt ends with
`<|start|>assistant`: https://cookbook.openai.com/articles/openai-harmony. Control tokens are known
by id. What the model is known to write beside the format's rules is read as it was meant.
"""

import re
from collections.abc import Collection
from enum import Enum, auto

from bot.inference.text.delta import CallDelta, Delta
from bot.inference.text.prompt import ChatFormat

_LONGEST_HEADER = 32
"""Tokens of a harmony header, up to `<|message|>`; a model that writes more is lost in it."""
_ROLE = "assistant"
_RECIPIENT = re.compile(r"\bto=([^\s<]+)")
_TO_THE_USER = ("user", "all", "assistant")


class _Place(Enum):
    """What the next token belongs to."""

    HEADER = auto()
    REASONING = auto()
    PREAMBLE = auto()
    """Text for the person before a tool call."""
    ANSWER = auto()
    CALL = auto()
    """A tool call's arguments."""
    DROPPED = auto()
    """A message that the model wrote in another's name."""


class HarmonyParser:
    """Reads one turn of the model. `functions` names the tools that it may, or `must_call`.

    The channel `final`, or none, is the answer, and so is text without a header; a message to a
    function is a call, whatever its channel; the channel `commentary` speaks to the person where
    there are functions. Everything else that the assistant writes is reasoning.
    """

    may_reason = None

    def __init__(
        self, chat_format: ChatFormat, functions: Collection[str] = (), *, must_call: bool = False
    ) -> None:
        self._start, self._channel, self._message, self._end = chat_format.control_ids(
            "<|start|><|channel|><|message|><|end|>"
        )
        self._role = chat_format.control_ids(_ROLE)
        self.closing_header = chat_format.control_ids(
            "commentary to" if must_call else "final<|message|>"
        )
        self.closing = [self._end, self._start, *self._role, self._channel, *self.closing_header]
        self.ended = False
        self.answered = False
        self._functions = functions
        self._format = chat_format
        self._text = chat_format.detokenizer()
        self._place = _Place.HEADER
        self._header: list[int] = []
        self._has_role = True
        """Whether the header's role was written before: by the prompt, or in no header at all."""
        self._any_message = False
        self._calls = 0

    @property
    def reasoning(self) -> bool:
        lost = len(self._header) > _LONGEST_HEADER
        return lost or self._place in (_Place.REASONING, _Place.DROPPED)

    @property
    def answering(self) -> bool:
        return self._place is _Place.ANSWER

    @property
    def calling(self) -> bool:
        if self._place is _Place.HEADER:
            return self._channel in self._header
        return self._place is _Place.CALL

    @property
    def opening(self) -> list[int]:
        """Tokens that begin a header up to its channel's name; none where no header begins."""
        if self._place is not _Place.HEADER or self._header:
            return []
        if not self._any_message:
            return [self._channel]
        start = [self._start] if self._has_role else []
        return [*start, *self._role, self._channel]

    def push(self, token: int) -> Delta:
        if token in (self._start, self._end):
            shown = self.flush()
            self.ended = token == self._end and self._place is _Place.ANSWER
            self._begin_header(has_role=token == self._end)
            return shown
        if token == self._channel and self._place is not _Place.HEADER:
            shown = self.flush()
            self._begin_header(has_role=True)
            self._header.append(token)
            return shown
        if self._place is not _Place.HEADER:
            return Delta() if token == self._message else self._delta(self._text.push(token))
        if token == self._message:
            return self._open()
        self._header.append(token)
        return self._read_plain_text()

    def close(self) -> Delta:
        shown = self.flush()
        self._begin_header(has_role=True)
        self._header.append(self._channel)
        for token in self.closing_header:
            shown += self.push(token)
        self.ended = False
        return shown

    def flush(self) -> Delta:
        return self._delta(self._text.flush())

    def _begin_header(self, *, has_role: bool) -> None:
        self._any_message = True
        self._place, self._header, self._has_role = _Place.HEADER, [], has_role

    def _open(self) -> Delta:
        """Begin the message that the header is of."""
        channel_at = next((i for i, t in enumerate(self._header) if t == self._channel), None)
        role = self._format.decode(self._header[:channel_at])
        channel = "" if channel_at is None else self._format.decode(self._header[channel_at + 1 :])
        self._header = []
        if not self._has_role and not role.startswith(_ROLE):
            self._place = _Place.DROPPED
            return Delta()
        recipient = _RECIPIENT.search(f"{role} {channel}")
        if recipient and recipient[1] not in _TO_THE_USER:
            return self._open_call(recipient[1])
        self._place = self._place_of(channel if channel_at is not None else None)
        return Delta()

    def _place_of(self, channel: str | None) -> _Place:
        if channel is None or re.match(r"\s*final\b", channel):
            return _Place.ANSWER
        if self._functions and re.match(r"\s*comment", channel):
            return _Place.PREAMBLE
        return _Place.REASONING

    def _open_call(self, recipient: str) -> Delta:
        name = recipient.removeprefix("functions.")
        if name not in self._functions:
            self._place = _Place.REASONING
            return Delta()
        self._place, self.answered = _Place.CALL, True
        self._calls += 1
        return Delta(calls=(CallDelta(self._calls - 1, name),))

    def _read_plain_text(self) -> Delta:
        """Take text that can't be a role, a recipient or a channel as the answer."""
        if self._channel in self._header:
            return Delta()
        text = self._format.decode(self._header)
        if not self._has_role:
            if not text.startswith(_ROLE):
                return Delta()
            text = text.removeprefix(_ROLE)
        begun = text.lstrip()
        if not begun or begun.startswith("<|") or "to=".startswith(begun[:3]):
            return Delta()
        text = "".join(map(self._text.push, self._header))
        self._place, self._header = _Place.ANSWER, []
        return self._delta(text if self._has_role else text.removeprefix(_ROLE))

    def _delta(self, text: str) -> Delta:
        match self._place:
            case _Place.ANSWER | _Place.PREAMBLE:
                self.answered = self.answered or bool(text.strip())
                return Delta(content=text)
            case _Place.REASONING:
                return Delta(reasoning=text)
            case _Place.CALL if text:
                return Delta(calls=(CallDelta(self._calls - 1, arguments=text),))
            case _:
                return Delta()
