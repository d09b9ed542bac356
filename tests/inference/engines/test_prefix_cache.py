"""Which caches are kept and taken; a cache here is the number of tokens in it."""

from dataclasses import dataclass

from bot.inference.engines.prefix_cache import Cached, PrefixCache


@dataclass
class Lengths:
    can_fork: bool = True

    def new_cache(self) -> int:
        return 0

    def fork(self, cache: int, length: int) -> int:
        return length


def kept(*conversations: list[int], limit: int = 100, can_fork: bool = True) -> PrefixCache[int]:
    prefixes = PrefixCache(Lengths(can_fork), limit)
    for tokens in conversations:
        prefixes.put(Cached(len(tokens), tokens))
    return prefixes


def test_the_longest_shared_prefix_wins() -> None:
    prefixes = kept([1, 2, 3], [1, 2, 3, 4, 5], [1, 9])
    assert prefixes.take([1, 2, 3, 4, 5, 6, 7]).tokens == [1, 2, 3, 4, 5]


def test_a_prompt_known_in_full_is_taken_without_its_last_token() -> None:
    taken = kept([1, 2, 3]).take([1, 2, 3])
    assert (taken.tokens, taken.cache) == ([1, 2], 2)


def test_a_conversation_with_the_same_persona_costs_another_nothing() -> None:
    prefixes = kept([1, 2, 3, 4])
    assert prefixes.take([1, 2, 8, 9]).tokens == [1, 2]
    assert prefixes.take([1, 2, 3, 4, 5]).tokens == [1, 2, 3, 4]


def test_a_cache_that_was_handed_over_is_no_longer_kept() -> None:
    prefixes = kept([1, 2, 3])
    prefixes.take([1, 2, 3, 4])
    assert prefixes.take([1, 2, 3, 4]).tokens == []


def test_a_model_whose_state_can_not_be_cut_reuses_whole_sequences_only() -> None:
    prefixes = kept([1, 2, 3, 4], [1, 2], can_fork=False)
    assert prefixes.take([1, 2, 3, 5]).tokens == [1, 2]
    assert prefixes.take([1, 2, 3, 5]).tokens == []


def test_the_least_recently_used_are_forgotten_beyond_the_limit() -> None:
    prefixes = kept([1] * 4, [2] * 4, limit=10)
    prefixes.take([1, 1, 7])  # a use
    prefixes.put(Cached(4, [3] * 4))
    assert [len(prefixes.take([n] * 9).tokens) for n in (1, 2, 3)] == [4, 0, 4]


def test_a_prefix_is_for_its_own_salt_only() -> None:
    prefixes = kept([1, 2, 3])
    prefixes.put(Cached(3, [1, 2, 3], "a"))
    assert prefixes.take([1, 2, 3, 4], "b").tokens == []
    for salt in ("a", None):
        taken = prefixes.take([1, 2, 3, 4], salt)
        assert (taken.tokens, taken.salt) == ([1, 2, 3], salt)


def test_what_is_made_for_a_salt_is_kept_for_it() -> None:
    prefixes = kept()
    new = prefixes.take([1, 2], "a")
    new.tokens += [1, 2, 3]
    prefixes.put(new)
    copied = prefixes.take([1, 2, 9], "a")
    assert (copied.tokens, copied.salt) == ([1, 2], "a")
