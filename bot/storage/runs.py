"""The runs of the bot that share a database, and whether one still goes on.

A run is named after its machine and process, so that a bot that starts beside another one takes
nothing from it. Of another machine's nothing can be known: its runs are taken to have ended.
"""

import os
import socket
from pathlib import Path
from uuid import uuid4

_of_this_process: set[str] = set()


def begin_run() -> str:
    """The name of a new run of this process."""
    run = f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}/{uuid4().hex}"
    _of_this_process.add(run)
    return run


def end_run(run: str) -> None:
    _of_this_process.discard(run)


def goes_on(run: str) -> bool:
    """Whether the process of a run lives, as far as this machine can tell."""
    host, _, rest = run.partition("/")
    pid, _, rest = rest.partition("/")
    started, _, _ = rest.partition("/")
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    if int(pid) == os.getpid():
        return run in _of_this_process
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    """When a process began, in the clock ticks of Linux; "" where that can't be read."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19]
    except OSError:
        return ""
