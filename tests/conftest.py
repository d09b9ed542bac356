"""How all tests run."""

import os

from hypothesis import settings

# Triton's kernels run on the CPU; the choice is made when Triton is first imported.
os.environ.setdefault("TRITON_INTERPRET", "1")
# Shared machines pause: how long an example takes says nothing about the code.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")
