"""Which replica a conversation belongs to, so that it finds there what is cached of it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json


def conversation_key(body: bytes) -> str:
    """What the requests of one conversation have in common; empty where nothing is known.

    A cache keeps what requests with the same `cache_salt` begin with, so that and the turns up to
    the first of a person are the key. It changes when a conversation that became too long loses its
    first turns, and then nothing of it is cached either. A prompt without turns has its `user`.
    """
    try:
        asked = from_json(body)
    except ValueError:
        return ""
    if not isinstance(asked, dict):
        return ""
    salt, user = asked.get("cache_salt"), asked.get("user")
    turns = asked.get("messages", asked.get("input"))
    beginning = _up_to_a_person(turns) if isinstance(turns, list) else turns or user
    if not (beginning or salt):
        return ""
    return _hash(json.dumps([salt, asked.get("instructions"), beginning])).hex()


def _up_to_a_person(turns: list[Any]) -> list[Any]:
    for at, turn in enumerate(turns):
        if isinstance(turn, dict) and turn.get("role") == "user":
            return turns[: at + 1]
    return turns


def by_preference(key: str, ongoing: Mapping[str, int], spill: int) -> list[str]:
    """The replicas in the order in which they should be asked.

    ongoing: requests that each replica has. First come those that have at most `spill` more than
    the one with the fewest, in the order that the key gives them (rendezvous hashing, Thaler and
    Ravishankar 1998: a replica more or less moves only its own share of the keys). The others
    follow, the least busy first. So a key that finds its replica too busy has a second one, the
    same each time. Without a key the least busy is first.
    """
    if not key:
        return sorted(ongoing, key=lambda name: ongoing[name])
    bound = min(ongoing.values(), default=0) + spill
    order = sorted(ongoing, key=lambda name: _hash(f"{key} {name}"), reverse=True)
    busy = [name for name in order if ongoing[name] > bound]
    return [name for name in order if ongoing[name] <= bound] + sorted(
        busy, key=lambda name: ongoing[name]
    )


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()
