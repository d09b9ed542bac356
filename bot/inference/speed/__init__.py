"""`bot bench --synthetic`: how fast the gpt-oss engine is at true size, without the true weights.

A checkpoint of random weights is written to a temporary folder and measured as `bot serve` would
run it, beside the least time that the card's memory allows: the bytes a decode step must read over
the bandwidth of a large copy on the same card. Times are medians.
"""

SHAPES = {"gpt-oss-20b": (24, 32), "gpt-oss-120b": (36, 128)}
"""Layers and experts; all else is the same in both, and transformers' default."""
