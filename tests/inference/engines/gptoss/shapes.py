"""Weights of gpt-oss that have shapes and no numbers: they are on torch's meta device."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor

from bot.inference.engines.gptoss import weights
from bot.inference.engines.gptoss.config import Config
from bot.inference.engines.gptoss.int8 import BLOCK, Int8

META = torch.device("meta")


def shapes_of(config: Config, *, int8: bool) -> weights.Weights:
    """What a checkpoint with `config` would be loaded as."""
    with (
        patch.object(weights, "_Checkpoint", _shapes(config)),
        patch.object(weights, "to_int8", _shape_of_int8),
    ):
        return weights.load_weights(
            Path(), config, META, torch.bfloat16, lambda share: None, int8=int8
        )


def _shape_of_int8(weight: Tensor) -> Int8:
    tiles, blocks = weight.shape[0] // 16, weight.shape[1] // BLOCK
    return Int8(
        words=torch.empty(tiles, blocks, 32, 4, dtype=torch.uint32, device=META),
        scales=torch.empty(tiles, blocks, 16, dtype=torch.float16, device=META),
        unit=1.0,
    )


def _shapes(config: Config) -> Callable[..., Callable[[str], Tensor]]:
    """In place of a checkpoint's tensors, their shapes; only scales have numbers: they are read."""
    size, inner, experts = config.hidden_size, config.intermediate_size, config.num_local_experts
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    shapes: dict[str, tuple[int, ...]] = {
        "embed_tokens.weight": (config.vocab_size, size),
        "lm_head.weight": (config.vocab_size, size),
        "norm.weight": (size,),
        "input_layernorm.weight": (size,),
        "post_attention_layernorm.weight": (size,),
        "o_proj.weight": (size, heads * config.head_dim),
        "o_proj.bias": (size,),
        "self_attn.sinks": (heads,),
        "router.weight": (experts, size),
        "router.bias": (experts,),
    }
    for name, count in (("q", heads), ("k", kv_heads), ("v", kv_heads)):
        shapes[f"{name}_proj.weight"] = (count * config.head_dim, size)
        shapes[f"{name}_proj.bias"] = (count * config.head_dim,)
    for name, rows, columns in (("gate_up", 2 * inner, size), ("down", size, inner)):
        shapes[f"experts.{name}_proj_blocks"] = (experts, rows, columns // 32, 16)
        shapes[f"experts.{name}_proj_scales"] = (experts, rows, columns // 32)
        shapes[f"experts.{name}_proj_bias"] = (experts, rows)

    def tensor(name: str) -> Tensor:
        shape = shapes[".".join(name.split(".")[-2:])]
        if name.endswith("_scales"):
            return torch.zeros(shape, dtype=torch.uint8)
        dtype = torch.uint8 if name.endswith("_blocks") else torch.bfloat16
        return torch.empty(shape, dtype=dtype, device=META)

    return lambda *place: tensor
