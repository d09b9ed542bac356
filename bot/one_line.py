"""What an error says, as one line that people and logs may see."""

import re


def one_line(error: BaseException | None) -> str:
    """The error's text without line breaks and without an address's password, else its kind.

    Errors about a proxy have its address, and that may have a password.
    """
    words = (without_password(word) for word in str(error).split())
    return " ".join(words) or type(error).__name__


def without_password(address: str) -> str:
    """`http://user:password@host` as `http://***@host`."""
    return re.sub("//.*@", "//***@", address)
