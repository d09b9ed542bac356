"""Llama-family models on a CPU, decoding straight from 4-bit weights.

Decoding one token reads every weight once, so its speed is set by the bytes read and the operators
launched. This decoder reads the weights packed, as torch's own weight-only kernels take them, and
launches about twenty operators a layer on a cache that is allocated once. Prefill is bound by
arithmetic instead and uses the float32 weights, which stay mapped from disk.

convert.py writes the folder that this module reads.
"""

import json
import math
from collections.abc import Callable
from collections.abc import Sequence as Tokens
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  the name everyone knows it by
from safetensors.torch import load_file
from torch import Tensor

from bot.inference.engines.base import Abandoned

FEW_ROWS = 16
"""Up to so many tokens the packed kernels are faster than float32 products (measured, AVX-512)."""

GROUP = 32
"""Weights that share a scale and a minimum."""
PACK_ROWS = 4096
"""Rows packed at a time, a multiple of the kernels' blocks of 64: bounds the memory of loading."""

Weights = dict[str, Tensor]


def fits(folder: Path) -> bool:
    """Whether `folder` has packed weights and this CPU has vector kernels for them."""
    vectors = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    return vectors and (folder / "packed.safetensors").is_file()


@dataclass
class KeyValues:
    """Keys and values, float32 [layers, 2, heads, context, head size]; `length` tokens are set."""

    data: Tensor
    length: int = 0


class PackedLlama:
    """See causal.CausalModel."""

    device = torch.device("cpu")
    chunk = 256
    can_fork = True

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = load_file(folder / "model.safetensors")
        packed = load_file(folder / "packed.safetensors")
        self.context: int = config["max_position_embeddings"]
        self._heads: int = config["num_attention_heads"]
        self._kv_heads: int = config["num_key_value_heads"]
        self._head_size: int = config["head_dim"]
        epsilon: float = config["rms_norm_eps"]
        self._embedding = weights["model.embed_tokens.weight"]
        self._layers = [
            _Layer(weights, packed, f"model.layers.{i}.", epsilon, self._kv_heads, self._head_size)
            for i in range(config["num_hidden_layers"])
        ]
        self._norm = _RmsNorm(weights["model.norm.weight"], epsilon)
        self._head = _PackedLinear(packed, ["lm_head"])
        # Rotary embedding (Su et al. 2021) of queries, keys and values in one go: values are heads
        # that turn with frequency zero.
        exponents = torch.arange(0, self._head_size, 2) / self._head_size
        turning = (config["rope_parameters"]["rope_theta"] ** -exponents).repeat(
            self._heads + self._kv_heads, 1
        )
        still = torch.zeros(self._kv_heads, self._head_size // 2)
        self._frequencies = torch.cat((turning, still)).unsqueeze(1)  # [all heads, 1, size / 2]

    def new_cache(self) -> KeyValues:
        # The system gives memory to a page when it is first written, so this takes none yet.
        shape = (len(self._layers), 2, self._kv_heads, self.context, self._head_size)
        return KeyValues(torch.empty(shape))

    def fork(self, cache: KeyValues, length: int) -> KeyValues:
        copy = self.new_cache()
        copy.data[..., :length, :] = cache.data[..., :length, :]
        copy.length = length
        return copy

    def forward(
        self, tokens: Tokens[int], cache: KeyValues, abandoned: Callable[[], bool] = lambda: False
    ) -> Tensor:
        rows, start, end = len(tokens), cache.length, cache.length + len(tokens)
        angles = torch.arange(start, end).view(-1, 1, 1, 1) * self._frequencies
        cosine, sine = angles.cos(), angles.sin()
        rotation = cosine, torch.cat((-sine, sine), dim=2)
        mask = None
        if rows > 1:  # what each token may look at, once for every query head of a group
            mask = torch.ones(rows, end, dtype=torch.bool).tril(start)
            mask = mask.repeat(self._heads // self._kv_heads, 1)
        hidden = F.embedding(torch.tensor(tokens), self._embedding)
        new = cache.data[..., start:end, :].flatten(1, 2).unbind()
        seen = cache.data[..., :end, :].unsqueeze(2).flatten(0, 1).unbind()
        for i, layer in enumerate(self._layers):
            if abandoned():
                raise Abandoned
            layer(hidden, rotation, new[i], seen[2 * i], seen[2 * i + 1], mask)
        cache.length = end
        last = self._norm(hidden[-1:])
        return self._head(torch.cat((last, last), dim=-1))[0].float()


class _Layer:
    def __init__(
        self,
        weights: Weights,
        packed: Weights,
        prefix: str,
        epsilon: float,
        kv_heads: int,
        head_size: int,
    ) -> None:
        def linear(*names: str) -> _PackedLinear:
            return _PackedLinear(packed, [prefix + name for name in names], weights)

        def norm(name: str) -> _RmsNorm:
            return _RmsNorm(weights[f"{prefix}{name}.weight"], epsilon)

        self._kv_heads = kv_heads
        self._head_size = head_size
        self._attention_norm = norm("input_layernorm")
        self._qkv = linear("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
        self._output = linear("self_attn.o_proj")
        self._mlp_norm = norm("post_attention_layernorm")
        self._gate_up = linear("mlp.gate_proj", "mlp.up_proj")
        self._down = linear("mlp.down_proj")

    def __call__(
        self,
        hidden: Tensor,
        rotation: tuple[Tensor, Tensor],
        new: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor | None,
    ) -> None:
        """Add what this layer computes to `hidden`, float32 [rows, hidden size].

        `new` is the place in the cache for these rows' keys and values, [2 * kv heads, rows, head
        size]; `keys` and `values` are all up to there, [1, kv heads, tokens, head size].
        """
        rows = len(hidden)
        qkv = self._qkv(self._attention_norm(hidden)).float()
        heads = qkv.view(rows, -1, 2, self._head_size // 2)
        cosine, sine = rotation
        rotated = torch.addcmul(heads * cosine, heads.flip(-2), sine)
        rotated = rotated.view(rows, -1, self._head_size).transpose(0, 1)
        new.copy_(rotated[-2 * self._kv_heads :])
        # The query heads of one key-value head become further rows.
        queries = rotated[: -2 * self._kv_heads].reshape(1, self._kv_heads, -1, self._head_size)
        mixed = F.scaled_dot_product_attention(queries, keys, values, mask)
        mixed = mixed.view(-1, rows, self._head_size).transpose(0, 1).reshape(rows, -1)
        hidden += self._output(mixed)
        gate, up = self._gate_up(self._mlp_norm(hidden)).view(rows, 2, -1).unbind(1)
        hidden += self._down(F.silu(gate) * up)


class _RmsNorm:
    def __init__(self, weight: Tensor, epsilon: float) -> None:
        # x / sqrt(mean(x²) + ε) = x √n / sqrt(|x|² + n ε), which takes fewer operators
        self._weight = weight * math.sqrt(len(weight))
        self._epsilon = torch.tensor(math.sqrt(len(weight) * epsilon))

    def __call__(self, x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return x / torch.hypot(length, self._epsilon) * self._weight


class _PackedLinear:
    """One or more linear layers with the same input, their outputs side by side."""

    def __init__(self, packed: Weights, names: list[str], weights: Weights | None = None) -> None:
        self._weights = [weights[f"{name}.weight"] for name in names] if weights else None
        codes, scale, minimum = (
            torch.cat([packed[f"{name}.{part}"] for name in names])
            for part in ("codes", "scale", "minimum")
        )
        self._codes = torch.cat([_pack(part) for part in torch.split(codes, PACK_ROWS)])
        zero = minimum.float() + 8 * scale.float()  # the kernel: (code - 8) * scale + zero
        self._scale_zero = torch.stack((scale.float().T, zero.T), dim=-1).bfloat16().contiguous()

    def __call__(self, x: Tensor) -> Tensor:
        if self._weights and len(x) > FEW_ROWS:
            return torch.cat([F.linear(x, weight) for weight in self._weights], dim=-1)
        return torch._weight_int4pack_mm_for_cpu(x.bfloat16(), self._codes, GROUP, self._scale_zero)


def _pack(codes: Tensor) -> Tensor:
    """Codes [rows, groups, 16], two to a byte, in the order that this CPU's kernel reads them."""
    unpacked = torch.cat((codes & 15, codes >> 4), dim=-1).view(len(codes), -1)
    return torch._convert_weight_to_int4pack_for_cpu(unpacked.int(), innerKTiles=1)
