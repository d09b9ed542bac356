"""How all tests run."""

import os

from hypothesis import HealthCheck, settings

# Shared machines pause: how long an example takes says nothing about the code.
settings.register_profile("shared", deadline=None)
settings.register_profile(
    "fuzz",  # `make fuzz`
    deadline=None,
    max_examples=100_000,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "shared"))
