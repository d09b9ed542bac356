"""Random checkpoints of a true shape, for measuring and testing without the real weights."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from torch import Tensor
from transformers import GptOssConfig, PreTrainedTokenizerFast
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME

SCALES = (118, 122)
"""MXFP4 scales are drawn from this range; greater ones make the activations grow without bound."""


def write_checkpoint(
    folder: Path,
    config: GptOssConfig,
    *,
    dtype: torch.dtype = torch.bfloat16,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> Path:
    """Write `config` with random weights to `folder`, laid out like the real ones, a file a layer.

    Returns `folder`.
    """
    generator = torch.Generator(device).manual_seed(seed)

    def normal(*shape: int, spread: float) -> Tensor:
        drawn = torch.randn(shape, generator=generator, device=device, dtype=torch.float32)
        return (drawn * spread).to(dtype).cpu()

    def matrix(rows: int, columns: int) -> Tensor:
        return normal(rows, columns, spread=1 / math.sqrt(columns))

    def norm() -> Tensor:
        return 1 + normal(size, spread=0.1)

    def integers(low: int, high: int, *shape: int) -> Tensor:
        drawn = torch.randint(
            low, high, shape, generator=generator, device=device, dtype=torch.uint8
        )
        return drawn.cpu()

    def save(name: str, tensors: dict[str, Tensor]) -> None:
        file = f"{name}.safetensors"
        save_file(tensors, folder / file, metadata={"format": "pt"})
        places.update(dict.fromkeys(tensors, file))

    def experts(name: str, rows: int, columns: int) -> dict[str, Tensor]:
        return {
            f"mlp.experts.{name}_blocks": integers(0, 256, count, rows, columns // 32, 16),
            f"mlp.experts.{name}_scales": integers(*SCALES, count, rows, columns // 32),
            f"mlp.experts.{name}_bias": normal(count, rows, spread=0.1),
        }

    folder.mkdir(parents=True, exist_ok=True)
    raw: dict[str, Any] = config.to_dict() | {"quantization_config": {"quant_method": "mxfp4"}}
    (folder / "config.json").write_text(json.dumps(raw), encoding="utf-8")
    places: dict[str, str] = {}
    size, inner, count = config.hidden_size, config.intermediate_size, config.num_local_experts
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    for i in range(config.num_hidden_layers):
        layer = {"input_layernorm.weight": norm(), "post_attention_layernorm.weight": norm()}
        for name, rows in (("q", heads), ("k", kv_heads), ("v", kv_heads)):
            layer[f"self_attn.{name}_proj.weight"] = matrix(rows * config.head_dim, size)
            layer[f"self_attn.{name}_proj.bias"] = normal(rows * config.head_dim, spread=0.1)
        layer["self_attn.o_proj.weight"] = matrix(size, heads * config.head_dim)
        layer["self_attn.o_proj.bias"] = normal(size, spread=0.1)
        layer["self_attn.sinks"] = normal(heads, spread=1.0)
        layer["mlp.router.weight"] = matrix(count, size)
        layer["mlp.router.bias"] = normal(count, spread=0.1)
        layer |= experts("gate_up_proj", 2 * inner, size) | experts("down_proj", size, inner)
        named = {f"model.layers.{i}.{name}": tensor for name, tensor in layer.items()}
        save(f"layer-{i:03}", named)
    rest = {
        "model.embed_tokens.weight": normal(config.vocab_size, size, spread=1.0),
        "lm_head.weight": matrix(config.vocab_size, size),
        "model.norm.weight": norm(),
    }
    save("rest", rest)
    index = {"metadata": {}, "weight_map": places}
    (folder / SAFE_WEIGHTS_INDEX_NAME).write_text(json.dumps(index), encoding="utf-8")
    return folder


def write_tokenizer(folder: Path, vocabulary: int) -> None:
    """Write a chat tokenizer to `folder` whose tokens are the words word0, word1, …"""
    words = {f"word{i}": i for i in range(vocabulary)}
    tokenizer = Tokenizer(WordLevel(words, unk_token="word0"))
    tokenizer.pre_tokenizer = Whitespace()
    template = "{% for message in messages %}{{ message.content }} {% endfor %}"
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=template).save_pretrained(
        folder
    )
