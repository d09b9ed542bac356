"""A gpt-oss checkpoint's weights on the device, in the form that the kernels read."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from bot.inference.engines import EngineError
from bot.inference.engines.gptoss.config import Config
from bot.inference.engines.gptoss.int8 import Int8, to_int8
from bot.inference.engines.gptoss.mxfp4 import Mxfp4, pack

Matrix = Tensor | Int8
"""Numbers [lines, columns], as they are or in eight bits."""


@dataclass(frozen=True)
class Layer:
    """One layer; `window` is the number of positions that a token sees, 0 for all.

    `qkv` [(heads + 2 kv heads) * head size, size] has each query and key head's halves interleaved:
    row 2i is the checkpoint's row i, row 2i + 1 its row i + head size / 2, which RoPE turns
    together. Queries and keys in the same order have the same products.
    """

    window: int
    attention_norm: Tensor
    qkv: Matrix
    qkv_bias: Tensor
    sinks: Tensor
    output: Matrix
    output_bias: Tensor
    experts_norm: Tensor
    router: Tensor
    router_bias: Tensor
    gate_up: Mxfp4
    gate_up_bias: Tensor
    down: Mxfp4
    down_bias: Tensor


@dataclass(frozen=True)
class Weights:
    embedding: Tensor
    layers: list[Layer]
    norm: Tensor
    head: Matrix


def load_weights(
    folder: Path,
    config: Config,
    device: torch.device,
    dtype: torch.dtype,
    progress: Callable[[float], None],
    *,
    int8: bool = False,
) -> Weights:
    """The weights in `folder`'s safetensors, memory-mapped on their way to `device`.

    All but the experts are cast to `dtype`, or with `int8`, the matrices of attention and the head,
    rounded to eight bits. The embedding is not: it is not read whole, and every layer would see its
    error. `progress` gets the share of layers loaded. Raises
    EngineError.
    """
    with ExitStack() as stack:
        try:
            checkpoint = _Checkpoint(folder, device, dtype, stack)
            stored: Callable[[Tensor], Matrix] = to_int8 if int8 else _as_it_is
            head = stored(checkpoint("lm_head.weight"))  # first, while there is room for it twice
            layers = []
            for i in range(config.num_hidden_layers):
                layers.append(_load_layer(checkpoint, config, i, stored))
                progress((i + 1) / (config.num_hidden_layers + 1))
            return Weights(
                embedding=checkpoint("model.embed_tokens.weight"),
                layers=layers,
                norm=checkpoint("model.norm.weight"),
                head=head,
            )
        except (SafetensorError, OSError, KeyError) as error:
            raise EngineError(f"{folder} isn't a complete gpt-oss checkpoint: {error}") from error


class _Checkpoint:
    """Tensors by name, whichever file they are in."""

    def __init__(
        self, folder: Path, device: torch.device, dtype: torch.dtype, stack: ExitStack
    ) -> None:
        self._dtype = dtype
        self._files: dict[str, Any] = {}
        for path in sorted(folder.glob("*.safetensors")):
            file = stack.enter_context(safe_open(path, framework="pt", device=str(device)))
            self._files.update(dict.fromkeys(file.keys(), file))

    def __call__(self, name: str) -> Tensor:
        tensor: Tensor = self._files[name].get_tensor(name)
        return tensor if tensor.dtype == torch.uint8 else tensor.to(self._dtype)


def _load_layer(
    checkpoint: _Checkpoint, config: Config, index: int, stored: Callable[[Tensor], Matrix]
) -> Layer:
    def get(name: str) -> Tensor:
        return checkpoint(f"model.layers.{index}.{name}")

    def get_qkv(part: str) -> Tensor:
        query, key, value = (get(f"self_attn.{name}_proj.{part}") for name in "qkv")
        size = config.head_dim
        return torch.cat((_interleave_halves(query, size), _interleave_halves(key, size), value))

    def get_experts(name: str) -> tuple[Mxfp4, Tensor]:
        blocks, scales = get(f"mlp.experts.{name}_blocks"), get(f"mlp.experts.{name}_scales")
        return pack(blocks, scales), get(f"mlp.experts.{name}_bias")

    gate_up, gate_up_bias = get_experts("gate_up_proj")
    down, down_bias = get_experts("down_proj")
    return Layer(
        window=config.windows[index],
        attention_norm=get("input_layernorm.weight"),
        qkv=stored(get_qkv("weight")),
        qkv_bias=get_qkv("bias"),
        sinks=get("self_attn.sinks"),
        output=stored(get("self_attn.o_proj.weight")),
        output_bias=get("self_attn.o_proj.bias"),
        experts_norm=get("post_attention_layernorm.weight"),
        router=get("mlp.router.weight"),
        router_bias=get("mlp.router.bias"),
        gate_up=gate_up,
        gate_up_bias=gate_up_bias,
        down=down,
        down_bias=down_bias,
    )


def _as_it_is(weight: Tensor) -> Matrix:
    return weight


def _interleave_halves(tensor: Tensor, head_size: int) -> Tensor:
    halves = tensor.view(-1, 2, head_size // 2, *tensor.shape[1:])
    return halves.transpose(1, 2).reshape(tensor.shape)
