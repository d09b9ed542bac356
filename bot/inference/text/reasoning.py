"""A model's tokens, told apart into reasoning and answer.

A parser takes every token that the model produced and returns the text to show. What belongs to
the reasoning stays there, also when the model ends without an answer.
"""

from collections.abc import Collection
from enum import Enum, auto
from typing import Protocol

from bot.inference.text.delta import Delta
from bot.inference.text.harmony import HarmonyParser
from bot.inference.text.prompt import THINK_CLOSE, THINK_OPEN, ChatFormat, ReasoningStyle
from bot.inference.text.stop_strings import StopStrings


class Parser(Protocol):
    """Reads one answer of the model, token by token."""

    closing: list[int]
    """Tokens that, fed to the model, end its reasoning and begin its answer, or its call."""
    closing_header: list[int]
    """Those of them, at their end, that belong to the header of a message; see `calling`."""

    @property
    def ended(self) -> bool:
        """Whether the answer is complete, though the model did not end its turn."""
        ...

    @property
    def reasoning(self) -> bool:
        """Whether the model is at its reasoning, so that `closing` would cut it short."""
        ...

    @property
    def answering(self) -> bool:
        """Whether the next token belongs to the answer, if it ends no turn."""
        ...

    @property
    def answered(self) -> bool:
        """Whether there is anything of an answer; without it, `closing` asks for one."""
        ...

    @property
    def calling(self) -> bool:
        """Whether the next token belongs to a call, or to a header that says if one comes."""
        ...

    @property
    def may_reason(self) -> int | None:
        """The token that begins the model's reasoning, where the answer may begin in its place."""
        ...

    def push(self, token: int) -> Delta:
        """The text that `token` makes certain."""
        ...

    def close(self) -> Delta:
        """Go over to the answer: the `closing` tokens were fed to the model."""
        ...

    def flush(self) -> Delta:
        """The text held back so far; call it when no token follows."""
        ...


def parser_for(
    chat_format: ChatFormat,
    prompt: list[int],
    functions: Collection[str] = (),
    *,
    must_call: bool = False,
) -> Parser:
    """The parser of what the model says after `prompt`; harmony's knows calls of `functions`."""
    match chat_format.reasoning:
        case ReasoningStyle.HARMONY:
            return HarmonyParser(chat_format, functions, must_call=must_call)
        case ReasoningStyle.THINK:
            return ThinkParser(chat_format, chat_format.opens_reasoning(prompt))
        case ReasoningStyle.NONE:
            return PlainParser(chat_format)


class PlainParser:
    """Everything is the answer."""

    reasoning = False
    ended = False
    answering = True
    answered = True
    calling = False
    may_reason = None

    def __init__(self, chat_format: ChatFormat) -> None:
        self.closing: list[int] = []
        self.closing_header: list[int] = []
        self._text = chat_format.detokenizer()

    def push(self, token: int) -> Delta:
        return Delta(content=self._text.push(token))

    def close(self) -> Delta:
        return Delta()

    def flush(self) -> Delta:
        return Delta(content=self._text.flush())


class _Place(Enum):
    """Where in the model's output the next token stands."""

    START = auto()
    """Before any text, where a `<think>` block may open."""
    REASONING = auto()
    ANSWER = auto()


class ThinkParser:
    """`<think>` … `</think>`, then the answer; the tags are known by their text.

    A block opens only before the answer has begun, so an answer may speak about the tag. White
    space before and after the block does not belong to the answer.
    """

    ended = False
    calling = False

    def __init__(self, chat_format: ChatFormat, in_reasoning: bool) -> None:
        self.closing = chat_format.control_ids(f"\n{THINK_CLOSE}\n\n")
        self.closing_header: list[int] = []
        opening = chat_format.control_ids(THINK_OPEN)
        self._opening = opening[0] if len(opening) == 1 and not in_reasoning else None
        self._text = chat_format.detokenizer()
        self._place = _Place.REASONING if in_reasoning else _Place.START
        self._held = ""
        self._end_tag = StopStrings([THINK_CLOSE])

    @property
    def answering(self) -> bool:
        return self._place is not _Place.REASONING

    @property
    def answered(self) -> bool:
        return self._place is _Place.ANSWER or bool(self._held)

    @property
    def reasoning(self) -> bool:
        return self._place is _Place.REASONING

    @property
    def may_reason(self) -> int | None:
        return None if self.answered or self.reasoning else self._opening

    def push(self, token: int) -> Delta:
        return self._read(self._text.push(token))

    def close(self) -> Delta:
        if self._place is not _Place.REASONING:
            return Delta()
        shown = self.flush()
        self._place = _Place.START
        return shown

    def flush(self) -> Delta:
        shown = self._read(self._text.flush())
        if self._place is _Place.REASONING:
            return shown + Delta(reasoning=self._end_tag.flush())
        held, self._held = self._held, ""
        return shown + Delta(content=held)

    def _read(self, text: str) -> Delta:
        match self._place:
            case _Place.START:
                return self._read_start(text)
            case _Place.REASONING:
                shown = Delta(reasoning=self._end_tag.push(text))
                if not self._end_tag.found:
                    return shown
                self._place = _Place.START
                return shown + self._read(self._end_tag.rest)
            case _Place.ANSWER:
                return Delta(content=text)

    def _read_start(self, text: str) -> Delta:
        self._held = (self._held + text).lstrip()
        if self._held.startswith(THINK_OPEN):
            text, self._held = self._held.removeprefix(THINK_OPEN), ""
            self._place, self._end_tag = _Place.REASONING, StopStrings([THINK_CLOSE])
            self._opening = None
            return self._read(text)
        if THINK_OPEN.startswith(self._held):
            return Delta()
        text, self._held = self._held, ""
        self._place = _Place.ANSWER
        return Delta(content=text)
