"""The interface of a platform adapter."""

from typing import Protocol

from bot.exit_code import ExitCode


class PlatformUnusable(Exception):
    """A platform that can't be connected to; one line that says why and what to change.

    `exit_code` is the process's.
    """

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.UNUSABLE) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Platform(Protocol):
    """A connection to a chat platform."""

    async def run(self) -> None:
        """Take messages until `stop`, then return once every view has shown its reply's end."""

    def stop(self) -> None:
        """Take no more messages."""
