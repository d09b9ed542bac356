"""Caches of finished sequences, kept so that the next turn's prefill starts where they end."""

from collections.abc import Sequence as Tokens
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

CacheT = TypeVar("CacheT")


@dataclass(eq=False)
class Cached(Generic[CacheT]):
    """A model's cache and the tokens that it has seen; see base.Sequence for the salt."""

    cache: CacheT
    tokens: list[int] = field(default_factory=list)
    salt: str | None = None


class Caches(Protocol[CacheT]):
    """The part of a model that makes caches; see causal.CausalModel."""

    can_fork: bool

    def new_cache(self) -> CacheT: ...

    def fork(self, cache: CacheT, length: int) -> CacheT: ...


class PrefixCache(Generic[CacheT]):
    """Finished caches, the least recently used first: `token_limit` tokens in all, or the last."""

    def __init__(self, caches: Caches[CacheT], token_limit: int) -> None:
        self._caches = caches
        self._token_limit = token_limit
        self._kept: list[Cached[CacheT]] = []

    def take(self, prompt: Tokens[int], salt: str | None = None) -> Cached[CacheT]:
        """A cache for `prompt` that has seen as much of it as any, but never its last token.

        Only caches that were made with the same `salt` count.

        A cache that the prompt continues is handed over. One that it leaves midway (an edited
        message, another conversation with the same persona) is copied up to there and stays.
        """
        best, length = None, 0
        for cached in self._kept:
            if cached.salt != salt:
                continue
            common = common_prefix(cached.tokens, prompt[:-1])
            if common > length and (self._caches.can_fork or common == len(cached.tokens)):
                best, length = cached, common
        if best is None:
            return Cached(self._caches.new_cache(), salt=salt)
        self._kept.remove(best)
        if length == len(best.tokens):
            return best
        self._kept.append(best)
        return Cached(self._caches.fork(best.cache, length), best.tokens[:length], salt)

    def put(self, cached: Cached[CacheT]) -> None:
        """Keep `cached`, and forget the oldest ones beyond the limit."""
        if cached.tokens:
            self._kept.append(cached)
        tokens = sum(len(kept.tokens) for kept in self._kept)
        while len(self._kept) > 1 and tokens > self._token_limit:
            tokens -= len(self._kept.pop(0).tokens)

    def clear(self) -> None:
        self._kept.clear()


def common_prefix(a: Tokens[int], b: Tokens[int]) -> int:
    """The number of leading tokens that `a` and `b` share."""
    shorter = min(len(a), len(b))
    return next((i for i in range(shorter) if a[i] != b[i]), shorter)
