"""The error that says why a configuration can't be used."""

from collections.abc import Sequence


class ConfigError(Exception):
    """The configuration can't be used. Each of `problems` is one line that says why."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = [_one_line(problem) for problem in problems]
        super().__init__("\n".join(self.problems))


def _one_line(text: str) -> str:
    """With line breaks and the like, which a key may have, written as escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
