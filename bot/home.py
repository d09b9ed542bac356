"""A home for users that have none, such as a container's with a number in place of a name."""

import getpass
import os
from pathlib import Path


def ensure_home() -> None:
    """Let libraries find a home and a user's name: they keep caches by these.

    Without HOME and an entry in passwd, the home is `data` in the current folder, where the
    database is too.
    """
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(Path("data").absolute())
    try:
        getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        os.environ["USER"] = "bot"
