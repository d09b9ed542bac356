import json
from collections import Counter
from typing import Any

from bot.inference.ray.affinity import by_preference, conversation_key

REPLICAS = dict.fromkeys(["a", "b", "c", "d"], 0)


def key(*turns: str, **fields: Any) -> str:
    messages = [{"role": "system", "content": "Be brief."}]
    for at, turn in enumerate(turns):
        messages.append({"role": ("user", "assistant")[at % 2], "content": turn})
    return conversation_key(json.dumps({"messages": messages} | fields).encode())


def test_a_conversation_keeps_its_key_as_it_goes_on_and_as_others_join() -> None:
    first = key("Why?", cache_salt="home", user="home/ann")
    assert key("Why?", "So.", "And now?", cache_salt="home", user="home/ben") == first


def test_another_conversation_or_server_has_another_key() -> None:
    keys = {key("Why?", cache_salt="home"), key("How?", cache_salt="home"), key("Why?")}
    assert len(keys) == 3


def test_a_prompt_without_turns_belongs_to_its_user() -> None:
    def of(user: str) -> str:
        return conversation_key(json.dumps({"prompt": "Once", "user": user}).encode())

    assert of("ann") == of("ann") != of("ben")


def test_what_is_no_request_has_no_key() -> None:
    for body in (b"", b"{", b"[1]", b"{}", b'{"messages": []}'):
        assert conversation_key(body) == ""


def test_half_a_character_is_no_problem() -> None:
    assert key("\ud800") == key("\ud800")


def test_conversations_are_spread_evenly() -> None:
    homes = Counter(by_preference(key(str(at)), REPLICAS, 1)[0] for at in range(4000))
    assert all(900 < homes[name] < 1100 for name in REPLICAS)


def test_one_replica_less_moves_only_its_own_conversations() -> None:
    fewer = {name: 0 for name in REPLICAS if name != "c"}
    for at in range(200):
        order = by_preference(key(str(at)), REPLICAS, 1)
        assert by_preference(key(str(at)), fewer, 1) == [name for name in order if name != "c"]


def test_a_conversation_leaves_a_replica_that_is_too_busy_and_always_for_the_same_one() -> None:
    home, second, *_ = by_preference(key("Why?"), REPLICAS, 1)
    assert by_preference(key("Why?"), REPLICAS | {home: 1}, 1)[0] == home
    order = by_preference(key("Why?"), REPLICAS | {home: 2}, 1)
    assert (order[0], order[-1]) == (second, home)


def test_without_a_key_the_least_busy_is_asked() -> None:
    assert by_preference("", {"a": 2, "b": 0, "c": 1}, 1) == ["b", "c", "a"]
