"""A random Llama of two small layers with a chat tokenizer: a whole model in under a megabyte."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tests.inference.tokenizers_fixture import SMOLLM2_TEMPLATE, chatml_tokenizer


def save_tiny_model(folder: Path, *, context: int = 4096, template: str = SMOLLM2_TEMPLATE) -> None:
    """Write the model's files to `folder`, as a Hugging Face repository has them."""
    tokenizer = chatml_tokenizer(template)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
