"""Why a file could not be read. The values are the exit codes of `python -m bot.documents`."""

from enum import IntEnum


class FileProblem(IntEnum):
    NOT_TEXT = 10
    BROKEN = 11
    ENCRYPTED = 12
    EMPTY = 13
    """It has no text: scanned pages, say."""
    TOO_BIG = 14
    """It takes more memory than it may, or unpacks to too much."""
    TOO_SLOW = 15


class UnreadableFile(Exception):
    """A file that could not be read."""

    def __init__(self, problem: FileProblem) -> None:
        super().__init__(problem.name.lower())
        self.problem = problem
