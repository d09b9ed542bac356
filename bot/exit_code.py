"""How the processes of `bot` end."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every subcommand."""

    OK = 0
    FAILURE = 1
    """Something broke: another start may help."""
    UNUSABLE = 2
    """Configuration, model or device can't be used: another start would end the same."""
