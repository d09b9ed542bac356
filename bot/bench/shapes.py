"""The sizes of gpt-oss; apart from the engine, so that a wrong name is refused at once."""

SHAPES = {"gpt-oss-20b": (24, 32), "gpt-oss-120b": (36, 128)}
"""Layers and experts; all else is the same in both, and transformers' default."""
