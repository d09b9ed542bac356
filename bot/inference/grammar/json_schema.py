"""JSON schemas as masks over the vocabulary, by llguidance.

https://github.com/guidance-ai/llguidance/blob/main/docs/json_schema.md says which schemas it knows.
"""

import json
from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from llguidance import LLTokenizer
    from transformers import PreTrainedTokenizerFast

ANY_OBJECT = {"type": "object"}
MAX_SCHEMA_CHARACTERS = 2**16
"""A longer one may take seconds to compile."""


class GrammarError(Exception):
    """A schema that answers can't be held to; one line that says why."""


class Grammar:
    """The state of one answer: made for it, told each of its tokens."""

    def __init__(self, tokenizer: "LLTokenizer", compiled: str) -> None:
        from llguidance import LLMatcher

        self._matcher = LLMatcher(tokenizer, compiled)
        if error := self._matcher.get_error():
            raise GrammarError(error.partition("\n")[0])

    def allowed(self) -> NDArray[np.bool_]:
        """For each token of the vocabulary, whether it may come next."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        return np.unpackbits(bits, bitorder="little").astype(np.bool_)

    def consume(self, token: int) -> None:
        """Go on with `token`, which was allowed."""
        self._matcher.consume_token(token)


class Grammars:
    """Makes grammars for a model's tokenizer, whose `stop_ids` may follow a complete answer."""

    def __init__(self, tokenizer: "PreTrainedTokenizerFast", stop_ids: Collection[int]) -> None:
        self._tokenizer = tokenizer
        self._stop_ids = sorted(stop_ids)

    def grammar(self, schema: dict[str, Any]) -> Grammar:
        """A fresh grammar of `schema`. Raises GrammarError."""
        from llguidance import LLMatcher

        if len(json.dumps(schema)) > MAX_SCHEMA_CHARACTERS:
            raise GrammarError(f"it is longer than {MAX_SCHEMA_CHARACTERS} characters")
        try:
            # No white space between values: a model could go on with it for ever.
            compiled = LLMatcher.grammar_from_json_schema(
                schema, overrides={"whitespace_flexible": False}
            )
        except ValueError as error:
            raise GrammarError(str(error).partition("\n")[0]) from error
        return Grammar(self._vocabulary, compiled)

    @cached_property
    def _vocabulary(self) -> "LLTokenizer":
        import llguidance.hf  # made at first use: it takes 8 s for gpt-oss's 200,000 tokens

        size = max(len(self._tokenizer), max(self._tokenizer.get_vocab().values()) + 1)
        return llguidance.hf.from_tokenizer(self._tokenizer, n_vocab=size, eos_token=self._stop_ids)
