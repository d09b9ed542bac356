"""Grammars as masks over a vocabulary, by llguidance, in its dialect of Lark.

https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
"""

from collections.abc import Collection, Iterable
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer
    from tokenizers import Tokenizer

COMPILED = 32
"""Grammars that are kept compiled: clients send the same tools with every request."""


class GrammarError(Exception):
    """What a model can't be held to; one line that says why."""


class Grammar:
    """The state of one text: told each of its tokens, it knows which may come next."""

    def __init__(self, compiled: "LLMatcher", words: int) -> None:
        self._compiled = compiled
        self._matcher = compiled.deep_copy()
        self._mask = np.zeros((1, words), np.int32)

    def allowed(self) -> NDArray[np.int32] | None:
        """Which tokens may come next, see base.Sequence; None once it has failed.

        The array is written again by the next call.
        """
        from llguidance.numpy import fill_next_token_bitmask

        if self.failed:
            return None
        fill_next_token_bitmask(self._matcher, self._mask)
        if self.failed:  # the mask would let nothing through, or all
            return None
        words: NDArray[np.int32] = self._mask[0]
        return words

    @property
    def failed(self) -> bool:
        """Whether it can tell no more: it took too much work, or got a token out of place."""
        return bool(self._matcher.is_error())

    def consume(self, tokens: Iterable[int]) -> None:
        """Go on with `tokens`."""
        for token in tokens:
            self._matcher.consume_token(token)

    def restart(self) -> None:
        """Begin another text."""
        self._matcher = self._compiled.deep_copy()


class Grammars:
    """Compiles grammars for a model's tokenizer, whose `stop_ids` may follow a complete text."""

    def __init__(self, tokenizer: "Tokenizer", stop_ids: Collection[int]) -> None:
        self._tokenizer = tokenizer
        self._stop_ids = sorted(stop_ids)
        self._compiled = lru_cache(COMPILED)(self._compile)
        self._vocabulary: LLTokenizer | None = None
        self._lock = Lock()

    def grammar(self, lark: str) -> Grammar:
        """A fresh grammar. Raises GrammarError."""
        return Grammar(self._compiled(lark), -(-self.vocabulary.vocab_size // 32))

    @property
    def vocabulary(self) -> "LLTokenizer":
        """The tokenizer as llguidance has it.

        It is made at first use; gpt-oss's takes some seconds, in which no other thread runs.
        Raises GrammarError for kinds of tokenizers that llguidance doesn't know, and where no token
        ends a turn.
        """
        from llguidance import LLTokenizer

        with self._lock:
            if self._vocabulary is None:
                size = 1 + max(self._tokenizer.get_vocab().values())
                try:
                    self._vocabulary = LLTokenizer(self._tokenizer.to_str(), size, self._stop_ids)
                except ValueError as error:
                    reason = str(error).partition("\n")[0]
                    raise GrammarError(f"its tokenizer has no masks ({reason})") from error
            return self._vocabulary

    def _compile(self, lark: str) -> "LLMatcher":
        from llguidance import LLMatcher

        compiled = LLMatcher(self.vocabulary, LLMatcher.grammar_from_lark(lark))
        if error := compiled.get_error():
            raise GrammarError(error.partition("\n")[0])
        return compiled
