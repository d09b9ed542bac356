"""A random Llama of two small layers with a chat tokenizer: a whole model in under a megabyte."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from bot.inference.engines import PACKED_GRAPH
from bot.inference.models.decoder_graph import GROUP, Array, EightBits, FourBits, write_decoder
from tests.inference.tokenizers_fixture import SMOLLM2_TEMPLATE, chatml_tokenizer


def save_tiny_model(folder: Path, *, context: int = 4096, template: str = SMOLLM2_TEMPLATE) -> None:
    """Write the model's files to `folder`, as a Hugging Face repository has them.

    And its packed weights: `bot serve` takes the packed engine then, which is ready in half the
    time, since it needs nothing of transformers.
    """
    tokenizer = chatml_tokenizer(template)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_decoder(folder / PACKED_GRAPH, config.to_dict(), *_packed(model))


def _packed(model: LlamaForCausalLM) -> tuple[dict[str, Array], dict[str, FourBits], EightBits]:
    """What convert.py reads of a GGUF: the norms, the layers in four bits, the head in eight."""
    state = model.model.state_dict(prefix="model.")
    weights = {name.removesuffix(".weight"): weight.numpy() for name, weight in state.items()}
    layers = {n: _four_bits(weight) for n, weight in weights.items() if n.endswith("_proj")}
    return weights, layers, _eight_bits(weights["model.embed_tokens"])


def _four_bits(weight: Array) -> FourBits:
    groups = weight.reshape(len(weight), -1, GROUP)
    minimum = groups.min(-1)
    scale = (groups.max(-1) - minimum) / 15
    codes = ((groups - minimum[..., None]) / scale[..., None]).round().astype(np.uint8)
    return FourBits(codes[..., 0::2] | codes[..., 1::2] << 4, scale, minimum)


def _eight_bits(weight: Array) -> EightBits:
    groups = weight.reshape(len(weight), -1, GROUP)
    scale = abs(groups).max(-1) / 127
    return EightBits((groups / scale[..., None] + 128).round().astype(np.uint8), scale)
