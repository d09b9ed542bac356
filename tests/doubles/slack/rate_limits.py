"""Rate limits, per method and workspace; those of chat.postMessage per channel.

https://docs.slack.dev/apis/web-api/rate-limits
"""

import math
import time
from collections import deque

from tests.doubles.slack.errors import RateLimited
from tests.doubles.slack.limits import METHOD_TIERS, POSTS, STATUSES_A_MINUTE, TIERS

MINUTE = 60.0
CONNECTS = (10, MINUTE)
"""apps.connections.open: more than its tier 1 says, because clients reconnect at will."""


class RateLimits:
    """`rules`: (calls, seconds) by method; a method without a rule has no limit."""

    def __init__(self) -> None:
        self.rules: dict[str, tuple[int, float]] = {
            method: (TIERS[tier], MINUTE) for method, tier in METHOD_TIERS.items()
        }
        self.rules["apps.connections.open"] = CONNECTS
        self.rules["assistant.threads.setStatus"] = (STATUSES_A_MINUTE, MINUTE)
        self.rules["chat.postMessage"] = POSTS
        self._calls: dict[tuple[str, ...], deque[float]] = {}

    def loosen(self) -> None:
        """Allow any number of calls from now on."""
        self.rules.clear()

    def take(self, method: str, *scope: str) -> None:
        """Count a call; raises RateLimited if it is one too many."""
        if method not in self.rules:
            return
        most, seconds = self.rules[method]
        calls = self._calls.setdefault((method, *scope), deque())
        now = time.monotonic()
        while calls and calls[0] <= now - seconds:
            calls.popleft()
        if len(calls) >= most:
            raise RateLimited(max(1, math.ceil(calls[0] + seconds - now)))
        calls.append(now)
