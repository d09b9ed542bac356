"""What the two ways into the app, Socket Mode and HTTP, have in common."""

from typing import NamedTuple


class Retry(NamedTuple):
    """Why an event comes once more."""

    number: int
    reason: str


class NotTaken(Exception):
    """The app did not acknowledge; `final` when it asked for no retry."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final
