"""gptoss-bot: a self-hosted chat bot for Discord, Slack and the terminal."""

import gc

__version__ = "0.1.0"

# By default Python looks for garbage after every 700 new objects. A start makes half a million that
# stay for good, and looking through them again and again took a tenth of its time.
gc.set_threshold(200_000, 20, 20)

GC_THRESHOLDS = (20_000, 20, 20)
"""From the end of the start on: a collection then pauses the process for some milliseconds."""
