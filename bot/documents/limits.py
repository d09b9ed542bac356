"""Limits of the process that parses files."""

import resource
from contextlib import suppress

MEMORY_BYTES = 1 << 30
"""Of address space: a spreadsheet of 10 MB takes a quarter of it."""
CPU_SECONDS = 20


def set_limits() -> None:
    """Limit the memory and CPU time of this process, and let it write no file."""
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError):  # macOS has mapped more address space than that at the start
            resource.setrlimit(limit, (most, most))
