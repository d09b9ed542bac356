"""Many replicas and many people in virtual time, with the real scheduler and the real routing.

`python -m tests.simulation` prints the figures of docs/scaling.md.
"""
