"""A random Llama of two small layers with a chat tokenizer: a whole model in under a megabyte."""

from copy import deepcopy
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from bot.inference.engines.packed import GROUP
from tests.inference.tokenizers_fixture import SMOLLM2_TEMPLATE, chatml_tokenizer

ROWS = 16
"""The CPU's kernels for packed weights take a multiple of so many."""


def save_tiny_model(folder: Path, *, context: int = 4096, template: str = SMOLLM2_TEMPLATE) -> None:
    """Write the model's files to `folder`, as a Hugging Face repository has them.

    And its packed weights: `bot serve` takes the packed engine then, which is ready in half the
    time, since it needs nothing of transformers.
    """
    tokenizer = deepcopy(chatml_tokenizer(template))
    tokenizer.add_special_tokens(
        {"extra_special_tokens": [f"<|unused_{i}|>" for i in range(-len(tokenizer) % ROWS)]}
    )
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
    save_file(_packed(model), folder / "packed.safetensors")


def _packed(model: LlamaForCausalLM) -> dict[str, Tensor]:
    """What convert.py writes to packed.safetensors."""
    packed: dict[str, Tensor] = {}
    for name, weight in model.model.state_dict(prefix="model.").items():
        if name.endswith("_proj.weight"):
            packed |= _parts(name.removesuffix(".weight"), *_quantized(weight))
    # The output layer has each weight twice: roughly, and what that leaves over.
    embedding = model.model.embed_tokens.weight.detach()
    rough = _quantized(embedding)
    rest = _quantized(embedding - _dequantized(*rough))
    return packed | _parts(
        "lm_head", *(torch.cat(pair, 1) for pair in zip(rough, rest, strict=True))
    )


def _quantized(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Codes 0 to 15 of [rows, groups, 32], and each group's scale and minimum."""
    groups = weight.unflatten(1, (-1, GROUP))
    minimum = groups.amin(-1).half()
    scale = ((groups.amax(-1) - minimum) / 15).half()
    codes = ((groups - minimum.unsqueeze(-1)) / scale.unsqueeze(-1)).round().clamp(0, 15)
    return codes.to(torch.uint8), scale, minimum


def _dequantized(codes: Tensor, scale: Tensor, minimum: Tensor) -> Tensor:
    return (codes * scale.unsqueeze(-1) + minimum.unsqueeze(-1)).flatten(1)


def _parts(name: str, codes: Tensor, scale: Tensor, minimum: Tensor) -> dict[str, Tensor]:
    low, high = codes.chunk(2, dim=-1)
    parts = {"codes": low | high << 4, "scale": scale, "minimum": minimum}
    return {f"{name}.{part}": tensor.contiguous() for part, tensor in parts.items()}
