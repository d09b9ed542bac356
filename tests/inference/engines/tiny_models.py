"""Random models small enough to run in a test, saved as real checkpoint folders."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, GptOssConfig, LlamaConfig

VOCABULARY = 96
WINDOW = 8


def save_llama(folder: Path, **changes: Any) -> Path:
    """A Llama with 2 layers, 4 query and 2 key-value heads and a context of 256."""
    return _save(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=16,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            **changes,
        ),
        folder,
    )


def save_gpt_oss(folder: Path) -> Path:
    """A gpt-oss in float32 whose first layer looks back 8 tokens and whose second looks at all."""
    return _save(
        GptOssConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            num_local_experts=4,
            num_experts_per_tok=2,
            sliding_window=WINDOW,
            layer_types=["sliding_attention", "full_attention"],
            max_position_embeddings=256,
            initializer_range=0.5,
        ),
        folder,
    )


def _save(config: Any, folder: Path) -> Path:
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).eval().save_pretrained(folder)
    return folder
