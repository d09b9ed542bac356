"""A gpt-oss checkpoint's sizes, from its config.json.

transformers' GptOssConfig says the same, but takes seconds to import.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bot.inference.engines import EngineError


@dataclass(frozen=True)
class Yarn:
    """How positions beyond those of the training are turned (Peng et al. 2023, YaRN)."""

    theta: float
    factor: float
    trained: int
    """Positions of the training before."""
    beta_fast: float
    beta_slow: float
    truncate: bool


@dataclass(frozen=True)
class Config:
    """Names are those of config.json; `windows` has the positions that a layer sees, 0: all."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    num_local_experts: int
    num_experts_per_tok: int
    max_position_embeddings: int
    rms_norm_eps: float
    swiglu_limit: float
    windows: tuple[int, ...]
    yarn: Yarn


def read_config(folder: Path) -> Config:
    """The configuration in `folder`. Raises EngineError where the kernels don't fit it."""
    try:
        config = _parse(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise EngineError(f"{folder / 'config.json'} can't be read: {error}") from error
    except (KeyError, TypeError) as error:
        raise EngineError(
            f"{folder / 'config.json'} isn't a complete configuration: {error}"
        ) from error
    sizes = {
        "head_dim": config.head_dim,
        "num_local_experts": config.num_local_experts,
        "num_experts_per_tok": config.num_experts_per_tok,
        "heads per key-value head": config.num_attention_heads // config.num_key_value_heads,
    }
    for name, size in sizes.items():
        if size & (size - 1):
            raise EngineError(f"{folder.name}: {name} is {size}; this engine needs a power of two")
    for name in ("hidden_size", "intermediate_size"):
        if getattr(config, name) % 64:
            raise EngineError(f"{folder.name}: {name} has to be a multiple of 64")
    return config


def _parse(raw: dict[str, Any]) -> Config:
    rope = raw.get("rope_parameters") or raw["rope_scaling"] | {"rope_theta": raw["rope_theta"]}
    if rope["rope_type"] != "yarn":
        raise ValueError(f"rope_type is {rope['rope_type']}, and this engine has yarn only")
    sizes = (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "num_local_experts",
        "num_experts_per_tok",
        "max_position_embeddings",
    )
    window = int(raw["sliding_window"])
    return Config(
        **{name: int(raw[name]) for name in sizes},
        rms_norm_eps=float(raw["rms_norm_eps"]),
        swiglu_limit=float(raw.get("swiglu_limit", 7.0)),  # transformers has it fixed
        windows=tuple(window if "sliding" in kind else 0 for kind in raw["layer_types"]),
        yarn=Yarn(
            theta=float(rope["rope_theta"]),
            factor=float(rope["factor"]),
            trained=int(rope["original_max_position_embeddings"]),
            beta_fast=float(rope.get("beta_fast") or 32),
            beta_slow=float(rope.get("beta_slow") or 1),
            truncate=bool(rope.get("truncate", True)),
        ),
    )


def rotation(config: Config, context: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines float32 [context, head size / 2], turned and scaled as YaRN has it.

    Frequencies that turn less than `beta_slow` times in the positions of the training are divided
    by `factor`, those that turn more than `beta_fast` times are kept, between them a ramp.
    """
    yarn, size = config.yarn, config.head_dim

    def pair_that_turns(times: float) -> float:
        wavelength = yarn.trained / (times * 2 * math.pi)
        return size * math.log(wavelength) / (2 * math.log(yarn.theta))

    low, high = pair_that_turns(yarn.beta_fast), pair_that_turns(yarn.beta_slow)
    if yarn.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, size - 1)
    pairs = torch.arange(size // 2, device=device).float()
    slow = ((pairs - low) / max(high - low, 0.001)).clamp(0, 1)
    frequencies = yarn.theta ** (-2 * pairs / size)
    frequencies *= slow / yarn.factor + (1 - slow)
    angles = torch.outer(torch.arange(context, device=device).float(), frequencies)
    scale = 0.1 * math.log(yarn.factor) + 1 if yarn.factor > 1 else 1.0
    return angles.cos() * scale, angles.sin() * scale
