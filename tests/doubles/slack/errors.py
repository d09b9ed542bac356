"""Slack's errors: HTTP 200 with "ok": false, except for 429 and 5xx.

https://docs.slack.dev/apis/web-api/#responses
"""

from typing import Any


class SlackError(Exception):
    """An error as Slack spells it; `more` stands beside it in the answer."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body: dict[str, Any] = {"ok": False, "error": error} | more


class MissingScope(SlackError):
    def __init__(self, needed: str, provided: set[str]) -> None:
        super().__init__("missing_scope", needed=needed, provided=",".join(sorted(provided)))


class RateLimited(SlackError):
    """429; `retry_after` is in whole seconds, as Slack gives it."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("ratelimited")
        self.status = 429
        self.headers = {"Retry-After": str(retry_after)}


class ServerError(SlackError):
    def __init__(self, status: int) -> None:
        names = {404: "not_found", 410: "gone", 500: "internal_error"}
        super().__init__(names.get(status, "service_unavailable"))
        self.status = status


def invalid(kind: str, rule: str, pointer: str) -> SlackError:
    """`invalid_blocks` and its like, with the place that is wrong."""
    told = f"{rule} [json-pointer:{pointer}]"
    return SlackError(kind, errors=[told], response_metadata={"messages": [f"[ERROR] {told}"]})
