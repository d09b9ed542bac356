"""A Llama-family decoder with packed weights, as a graph that ONNX Runtime runs on a CPU.

Its kernels multiply packed weights as they are with inputs that they round to eight bits in blocks
of 32, as llama.cpp does. A weight of four bits is `code * scale + minimum`, and the kernels compute
`(code - 8) * scale`; so the sum of each block of inputs is multiplied with what is left of its
weights, `minimum + 8 * scale`.

Operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper, save

GROUP = 32
"""Weights that share a scale and a minimum."""
EIGHT_BIT_INPUTS = 4
"""MatMulNBits's `accuracy_level`: inputs are rounded to int8."""
RUNTIME = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""

Array = NDArray[Any]


@dataclass(frozen=True)
class FourBits:
    """Weights [rows, 32 * groups], each `code * scale + minimum`."""

    codes: Array
    """uint8 [rows, groups, 16], two codes a byte, the first in the low four bits."""
    scale: Array
    """[rows, groups]"""
    minimum: Array
    """[rows, groups]"""


@dataclass(frozen=True)
class EightBits:
    """Weights [rows, 32 * groups], each `(code - 128) * scale`."""

    codes: Array
    """uint8 [rows, groups, 32]"""
    scale: Array
    """[rows, groups]"""


def decoder_graph(
    config: dict[str, Any], norms: dict[str, Array], layers: dict[str, FourBits], head: EightBits
) -> ModelProto:
    """The graph of a decoder; `norms` and `layers` have the names of a Llama checkpoint.

    Inputs: `hidden`, float32 [1, rows, hidden size], the embedded tokens; `last`, int32 [1], the
    position of the last of them; `length`, int32, the tokens up to there; `keys.{i}` and
    `values.{i}` of each layer, float32 [1, key-value heads, context, head size].

    Outputs: `logits` after the last row, float32 [1, 1, vocabulary]; `new_keys.{i}` and
    `new_values.{i}`, to be bound to the memory of the inputs, where only the new rows are written.
    """
    graph = _Graph(config)
    branch = None
    for i in range(config["num_hidden_layers"]):
        branch = graph.layer(f"model.layers.{i}", i, branch, norms, layers)
    assert branch is not None
    graph.head(branch, norms["model.norm"], head)
    return graph.model()


def write_decoder(
    path: Path,
    config: dict[str, Any],
    norms: dict[str, Array],
    layers: dict[str, FourBits],
    head: EightBits,
) -> None:
    """Write the graph with its weights to one file; see `decoder_graph`."""
    save(decoder_graph(config, norms, layers, head), path)


class _Graph:
    """Collects operators and constants. A value has the name of what computes it."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}
        self._caches: list[ValueInfoProto] = []
        self._new_caches: list[ValueInfoProto] = []
        self._residual = "hidden"
        # Rotary embedding (Su et al. 2021), [context, head size / 2]
        exponents = np.arange(0, config["head_dim"], 2) / config["head_dim"]
        frequencies = config["rope_parameters"]["rope_theta"] ** -exponents
        angles = np.arange(config["max_position_embeddings"])[:, None] * frequencies
        self._constant("cosine", np.cos(angles).astype(np.float32))
        self._constant("sine", np.sin(angles).astype(np.float32))

    def layer(
        self,
        name: str,
        index: int,
        branch: str | None,
        norms: dict[str, Array],
        weights: dict[str, FourBits],
    ) -> str:
        """A layer behind `branch`, which is to be added to the residual; returns its own."""

        def linear(output: str, x: str, *parts: str) -> str:
            return self._linear(f"{name}.{output}", x, [weights[f"{name}.{p}"] for p in parts])

        x = self._norm(f"{name}.input_layernorm", branch, norms[f"{name}.input_layernorm"])
        attention = [f"self_attn.{part}_proj" for part in "qkv"]
        mixed = self._attention(f"{name}.attention", index, linear("qkv", x, *attention))
        branch = linear("output", mixed, "self_attn.o_proj")
        norm = f"{name}.post_attention_layernorm"
        x = self._norm(norm, branch, norms[norm])
        both = linear("gate_up", x, "mlp.gate_proj", "mlp.up_proj")
        gate, up = f"{name}.gate", f"{name}.up"
        self._node("Split", [both], [gate, up], axis=2)
        silu = self._node("QuickGelu", [gate], [f"{name}.silu"], RUNTIME, alpha=1.0)
        return linear("down", self._node("Mul", [silu, up], [f"{name}.product"]), "mlp.down_proj")

    def head(self, branch: str, norm: Array, weights: EightBits) -> None:
        x = self._norm("model.norm", branch, norm)
        end = self._constant("end", np.array([-1]))
        last = self._node("Gather", [x, end], ["last_row"], axis=1)
        self._product("logits", last, weights.codes, weights.scale, bits=8)

    def model(self) -> ModelProto:
        hidden, vocabulary = self._config["hidden_size"], self._config["vocab_size"]
        inputs = [
            _floats("hidden", [1, "rows", hidden]),
            helper.make_tensor_value_info("last", TensorProto.INT32, [1]),
            helper.make_tensor_value_info("length", TensorProto.INT32, []),
            *self._caches,
        ]
        outputs = [_floats("logits", [1, 1, vocabulary]), *self._new_caches]
        constants = list(self._constants.values())
        graph = helper.make_graph(self._nodes, "decoder", inputs, outputs, constants)
        versions = [helper.make_opsetid("", 17), helper.make_opsetid(RUNTIME, 1)]
        return helper.make_model(graph, opset_imports=versions, ir_version=8)

    def _attention(self, name: str, index: int, qkv: str) -> str:
        """Causal attention over what the cache has and these rows, which it takes up."""
        config = self._config
        kv_heads = config["num_key_value_heads"]
        shape = [1, kv_heads, config["max_position_embeddings"], config["head_dim"]]
        cache = [f"keys.{index}", f"values.{index}"]
        new = [f"new_{part}" for part in cache]
        self._caches += [_floats(part, shape) for part in cache]
        self._new_caches += [_floats(part, shape) for part in new]
        return self._node(
            "GroupQueryAttention",
            [qkv, "", "", *cache, "last", "length", "cosine", "sine"],
            [name, *new],
            RUNTIME,
            num_heads=config["num_attention_heads"],
            kv_num_heads=kv_heads,
            do_rotary=1,
        )

    def _linear(self, name: str, x: str, parts: list[FourBits]) -> str:
        """One or more linear layers with the same input, their outputs side by side."""
        codes = np.concatenate([part.codes for part in parts])
        scale = np.concatenate([part.scale for part in parts]).astype(np.float32)
        minimum = np.concatenate([part.minimum for part in parts]).astype(np.float32)
        product = self._product(f"{name}.product", x, codes, scale, bits=4)
        groups = scale.shape[1]
        blocks = self._constant(f"blocks.{groups}", np.array([1, -1, groups, GROUP]))
        innermost = self._constant("innermost", np.array([3]))
        rest = self._constant(f"{name}.rest", (minimum + 8 * scale).T)
        in_blocks = self._node("Reshape", [x, blocks], [f"{name}.blocks"])
        sums = self._node("ReduceSum", [in_blocks, innermost], [f"{name}.sums"], keepdims=0)
        added = self._node("MatMul", [sums, rest], [f"{name}.added"])
        return self._node("Add", [product, added], [name])

    def _product(self, name: str, x: str, codes: Array, scale: Array, bits: int) -> str:
        rows, groups = scale.shape
        packed = self._constant(f"{name}.codes", codes)
        scales = self._constant(f"{name}.scales", scale.astype(np.float32).reshape(-1))
        return self._node(
            "MatMulNBits",
            [x, packed, scales],
            [name],
            RUNTIME,
            K=groups * GROUP,
            N=rows,
            bits=bits,
            block_size=GROUP,
            accuracy_level=EIGHT_BIT_INPUTS,
        )

    def _norm(self, name: str, branch: str | None, weight: Array) -> str:
        """RMSNorm (Zhang and Sennrich 2019) of the residual, to which `branch` is added first."""
        weights = self._constant(f"{name}.weight", weight)
        epsilon = self._config["rms_norm_eps"]
        if branch is None:
            kind = "SimplifiedLayerNormalization"
            return self._node(kind, [self._residual, weights], [name], epsilon=epsilon)
        kind, inputs = "SkipSimplifiedLayerNormalization", [self._residual, branch, weights]
        self._residual = f"{name}.residual"
        return self._node(kind, inputs, [name, "", "", self._residual], RUNTIME, epsilon=epsilon)

    def _node(
        self,
        kind: str,
        inputs: list[str],
        outputs: list[str],
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """Adds an operator; returns its first output."""
        node = helper.make_node(kind, inputs, outputs, outputs[0], domain=domain, **attributes)
        self._nodes.append(node)
        return outputs[0]

    def _constant(self, name: str, array: Array) -> str:
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name


def _floats(name: str, shape: list[Any]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
