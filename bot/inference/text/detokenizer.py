"""Token ids to text while they arrive: the text only grows and never breaks a character."""

from collections.abc import Set as AbstractSet

from tokenizers import Tokenizer


class Detokenizer:
    """Turns ids into pieces of text that, joined, are the text of all ids. `hidden` ids have none.

    `tokenizers.decoders.DecodeStream` does nearly this, but it raises on byte-fallback tokens that
    are not UTF-8 ("Invalid prefix encountered") and has no way to flush what it held back.
    """

    def __init__(self, tokenizer: Tokenizer, hidden: AbstractSet[int] = frozenset()) -> None:
        self._tokenizer = tokenizer
        self._hidden = hidden
        # Decoders look at neighbours (leading spaces, bytes of one character), so new ids are
        # decoded after the last ones whose text is out.
        self._context: list[int] = []
        self._pending: list[int] = []

    def push(self, token: int) -> str:
        """The text that `token` completes; empty while a character is still incomplete."""
        if token in self._hidden:
            return ""
        self._pending.append(token)
        text = self._pending_text()
        if not text or text.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        self._context, self._pending = self._pending, []
        return text

    def flush(self) -> str:
        """What is held back, an incomplete character as U+FFFD; the text so far is forgotten."""
        text = self._pending_text()
        self._context, self._pending = [], []
        return text

    def _pending_text(self) -> str:
        known = self._tokenizer.decode(self._context, skip_special_tokens=False)
        text = self._tokenizer.decode(self._context + self._pending, skip_special_tokens=False)
        return str(text[len(known) :])
