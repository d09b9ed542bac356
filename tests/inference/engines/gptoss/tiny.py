"""A tiny random gpt-oss with MXFP4 experts, and transformers' own model with the same numbers."""

import random
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import GptOssConfig, GptOssForCausalLM

from bot.inference.engines.gptoss.config import Config
from bot.inference.engines.gptoss.model import Model
from bot.inference.engines.gptoss.mxfp4 import dequantize
from bot.inference.engines.gptoss.synthetic import write_checkpoint
from bot.inference.engines.gptoss.weights import Weights

CPU = torch.device("cpu")
VOCABULARY = 96
WINDOW = 16


@dataclass(frozen=True)
class Tiny:
    folder: Path
    config: Config
    weights: Weights
    reference: GptOssForCausalLM

    def model(self, context: int = 256, pages: int = 40) -> Model:
        return Model(self.config, self.weights, context, pages)

    def logits(self, tokens: list[int]) -> Tensor:
        """What transformers says after each of `tokens`, [tokens, vocabulary]."""
        output = self.reference(torch.tensor([tokens]))
        return output.logits[0]

    def greedy(self, prompt: list[int], count: int) -> list[int]:
        """The likeliest next tokens by transformers."""
        tokens = list(prompt)
        for _ in range(count):
            tokens.append(int(self.logits(tokens)[-1].argmax()))
        return tokens[len(prompt) :]


def save(folder: Path) -> Path:
    """One sliding layer with a window of 16 tokens, and one full one."""
    config = GptOssConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        num_local_experts=4,
        num_experts_per_tok=2,
        sliding_window=WINDOW,
        layer_types=["sliding_attention", "full_attention"],
        max_position_embeddings=8192,
        rope_parameters={
            "rope_type": "yarn",
            "rope_theta": 150000.0,
            "factor": 32.0,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "original_max_position_embeddings": 256,
            "truncate": False,
        },
    )
    return write_checkpoint(folder, config, dtype=torch.float32)


def reference(folder: Path) -> GptOssForCausalLM:
    stored: dict[str, Tensor] = {}
    for file in folder.glob("*.safetensors"):
        stored |= load_file(file)
    weights = {name: tensor for name, tensor in stored.items() if "_proj_" not in name}
    for name in [name for name in stored if name.endswith("_blocks")]:
        experts = name.removesuffix("_blocks")
        numbers = dequantize(stored[name], stored[f"{experts}_scales"])
        weights[experts] = numbers.transpose(1, 2).contiguous()
        weights[f"{experts}_bias"] = stored[f"{experts}_bias"]
    model = GptOssForCausalLM(GptOssConfig.from_pretrained(folder)).float().eval()
    model.load_state_dict(weights)
    return model


def prompt_of(length: int, seed: int = 0) -> list[int]:
    return random.Random(seed).choices(range(VOCABULARY), k=length)


def assert_close(result: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    """The distance is within `tolerance` of the expected tensor's length; NaN is not."""
    error = (result.float() - expected).norm() / expected.norm()
    assert error <= tolerance
