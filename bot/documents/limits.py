"""Limits of the process that parses files."""

import os
import resource
from contextlib import suppress

MEMORY_BYTES = 1 << 30
"""Of address space: a spreadsheet of 10 MB takes a quarter of it."""
CPU_SECONDS = 20


def set_limits() -> None:
    """Limit the memory and CPU time of this process, and let it write no file.

    Out of CPU time it ends by SIGXCPU, which comes at the lower of the two limits only.
    """
    os.nice(10)  # people who chat go first
    for limit, soft, hard in (
        (resource.RLIMIT_AS, MEMORY_BYTES, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS + 1),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        with suppress(ValueError):  # macOS has mapped more address space than that at the start
            resource.setrlimit(limit, (soft, hard))
