"""Triton's kernels run on the CPU here; the choice is made when Triton is first imported."""

import os

os.environ.setdefault("TRITON_INTERPRET", "1")
