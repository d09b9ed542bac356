"""How all tests run."""

from hypothesis import settings

# Shared machines pause: how long an example takes says nothing about the code.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")
