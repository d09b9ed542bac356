"""Faults from inside: Python imports this in each process that has its folder in PYTHONPATH.

SIGUSR1 makes every further step of the engine raise what a broken CUDA device raises; SIGUSR2 puts
the wall clock a day ahead, the next one a day back from the true time.
"""

import itertools
import signal
import sys
import time
from typing import Any, NoReturn

DAY = 24 * 3600
ahead = 0
jumps = itertools.cycle([DAY, -DAY])
true_time, true_time_ns = time.time, time.time_ns


def broken_step(*_: Any) -> NoReturn:
    raise RuntimeError("CUDA error: an illegal memory access was encountered")


def break_engine(*_: Any) -> None:
    sys.modules["bot.inference.engines.causal"].CausalEngine.step = broken_step


def jump(*_: Any) -> None:
    global ahead
    ahead = next(jumps)


time.time = lambda: true_time() + ahead
time.time_ns = lambda: true_time_ns() + ahead * 10**9
signal.signal(signal.SIGUSR1, break_engine)
signal.signal(signal.SIGUSR2, jump)
