"""What an operator is promised under load and faults, tried on real processes.

`make soak` tries each promise at full length and prints what happened; the test suite tries each
once, briefly. Times and ratios are judged by the first alone: test machines are shared.
"""
