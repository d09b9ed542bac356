"""transformers' gpt-oss, made to choose the experts that another implementation chose.

On random weights two experts' scores often lie closer than any rounding, and another choice is
another answer. So errors are compared with the same choices, and the choices by themselves.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import DynamicCache, GptOssConfig, GptOssForCausalLM
from transformers.models.gpt_oss.modeling_gpt_oss import GptOssRotaryEmbedding

from bot.inference.engines.gptoss.model import Model
from bot.inference.engines.gptoss.mxfp4 import dequantize

CHUNK = 1024
"""Tokens that the reference is given at once: its scores of 8192 by 8192 don't fit the card."""

Choices = list[Tensor]
"""The experts [tokens, top] of each layer."""


@contextmanager
def recorded(model: Model) -> Iterator[Choices]:
    """What `model` chooses, a tensor appended for each layer that runs."""
    route, choices = model._route, []

    def record(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
        result = route(*arguments)
        choices.append(result[1].long())
        return result

    model._route = record  # type: ignore[assignment]
    yield choices
    model._route = route


@dataclass
class Prompt:
    """What the reference made of a prompt: its last logits, all router scores, and its cache."""

    logits: Tensor
    scores: list[Tensor]
    cache: DynamicCache


class Reference:
    """transformers' model with the checkpoint in `folder`, its experts as numbers of `dtype`."""

    def __init__(
        self, folder: Path, config: GptOssConfig, dtype: torch.dtype, device: torch.device
    ) -> None:
        config = copy.deepcopy(config)
        config._attn_implementation = "eager"
        config._experts_implementation = "eager"
        with torch.device("meta"):
            model = GptOssForCausalLM(config)
        weights: dict[str, Tensor] = {}
        for file in folder.glob("*.safetensors"):
            stored = load_file(file, device=str(device))
            for name, tensor in stored.items():
                if name.endswith("_blocks"):
                    scales = stored[name.replace("_blocks", "_scales")]
                    numbers = [
                        dequantize(tensor[i : i + 1], scales[i : i + 1]).to(dtype).mT
                        for i in range(len(tensor))  # an expert at a time, to save memory
                    ]
                    weights[name.removesuffix("_blocks")] = torch.cat(numbers)
                elif not name.endswith("_scales"):
                    weights[name] = tensor.to(dtype)
        model.load_state_dict(weights, assign=True)
        model.model.rotary_emb = GptOssRotaryEmbedding(config).to(device)
        self._model = model.eval()
        self._choices: Choices = []
        self._scores: list[Tensor] = []
        for layer in self._model.model.layers:
            layer.mlp.router.register_forward_hook(self._choose)

    def prompt(self, tokens: Tensor, choices: Choices) -> Prompt:
        scores: list[list[Tensor]] = [[] for _ in choices]
        cache = DynamicCache(config=self._model.config)
        for begin in range(0, len(tokens), CHUNK):
            end = begin + CHUNK
            logits = self._run(tokens[begin:end], [chosen[begin:end] for chosen in choices], cache)
            for of_layer, more in zip(scores, self._scores, strict=True):
                of_layer.append(more)
        return Prompt(logits, [torch.cat(parts) for parts in scores], cache)

    def after(self, prompt: Prompt, token: Tensor, choices: Choices) -> Tensor:
        """The logits [vocabulary] after one more token; `prompt` stays as it is."""
        return self._run(token, choices, copy.deepcopy(prompt.cache))

    def _run(self, tokens: Tensor, choices: Choices, cache: DynamicCache) -> Tensor:
        self._choices, self._scores = list(choices), []
        output = self._model(
            tokens.long()[None], past_key_values=cache, use_cache=True, logits_to_keep=1
        )
        return output.logits[0, -1].float()

    def _choose(
        self, module: nn.Module, arguments: Any, output: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        scores, _, _ = output
        chosen = self._choices[len(self._scores)]
        self._scores.append(scores.float())
        return scores, scores.gather(1, chosen).softmax(1), chosen
