"""Rate limits, per route and major parameter, and for the whole bot.

https://docs.discord.com/developers/topics/rate-limits
"""

import hashlib
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

MAJOR = ("channel", "guild", "app", "token")
"""The parameters of a path that have buckets of their own."""
GLOBAL = (50, 1.0)


@dataclass
class Bucket:
    """`limit` requests in a window of `seconds`, which begins with the first."""

    limit: int
    seconds: float
    used: int = 0
    began: float = field(default=-math.inf)

    def take(self) -> bool:
        """Count a request; False if it is one too many."""
        now = time.monotonic()
        if now >= self.began + self.seconds:
            self.began, self.used = now, 0
        if self.used >= self.limit:
            return False
        self.used += 1
        return True

    @property
    def reset_after(self) -> float:
        return max(0.0, self.began + self.seconds - time.monotonic())


class TooMany(Exception):
    """429. `scope` is user, global or shared."""

    def __init__(self, retry_after: float, scope: str) -> None:
        super().__init__(f"429 {scope}")
        self.retry_after = retry_after
        self.scope = scope

    @property
    def body(self) -> dict[str, object]:
        return {
            "message": "You are being rate limited.",
            "retry_after": round(self.retry_after, 3),
            "global": self.scope == "global",
        }

    @property
    def headers(self) -> dict[str, str]:
        always = {
            "Via": "1.1 google",
            "Retry-After": str(math.ceil(self.retry_after)),
            "X-RateLimit-Scope": self.scope,
        }
        return always | ({"X-RateLimit-Global": "true"} if self.scope == "global" else {})


class RateLimits:
    """`rules`: (requests, seconds) by "METHOD /path"; a route without one has no bucket."""

    def __init__(self) -> None:
        channel, message = "/channels/{channel}", "/channels/{channel}/messages/{message}"
        webhook = "/webhooks/{app}/{token}"
        self.rules: dict[str, tuple[int, float]] = {
            f"POST {channel}/messages": (5, 5.0),
            f"PATCH {message}": (5, 5.0),
            f"DELETE {message}": (5, 1.0),
            f"PUT {message}/reactions/{{emoji}}/@me": (1, 0.25),
            f"POST {channel}/typing": (5, 5.0),
            f"POST {channel}/threads": (50, 300.0),
            f"POST {message}/threads": (50, 300.0),
            f"POST {webhook}": (5, 2.0),
            f"PATCH {webhook}/messages/{{message}}": (5, 2.0),
            "POST /users/@me/channels": (10, 10.0),
        }
        self.everything = Bucket(*GLOBAL)
        self._buckets: dict[tuple[str, ...], Bucket] = {}

    def loosen(self) -> None:
        """Allow any number of requests from now on."""
        self.rules.clear()
        self.everything = Bucket(sys.maxsize, 1.0)

    def take(self, route: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """Count a request. The headers that tell what is left; raises TooMany."""
        if not route.startswith("POST /interactions") and not self.everything.take():
            raise TooMany(self.everything.reset_after, "global")
        if route not in self.rules:
            return {}
        key = (route, *(parameters[name] for name in MAJOR if name in parameters))
        bucket = self._buckets.get(key)
        if bucket is None or (bucket.limit, bucket.seconds) != self.rules[route]:
            bucket = self._buckets[key] = Bucket(*self.rules[route])
        if not bucket.take():
            raise TooMany(bucket.reset_after, "user")
        return {
            "X-RateLimit-Bucket": hashlib.sha256(route.encode()).hexdigest()[:32],
            "X-RateLimit-Limit": str(bucket.limit),
            "X-RateLimit-Remaining": str(bucket.limit - bucket.used),
            "X-RateLimit-Reset": f"{time.time() + bucket.reset_after:.3f}",
            "X-RateLimit-Reset-After": f"{bucket.reset_after:.3f}",
        }
