"""Turns a Llama-family GGUF file into a folder that transformers and the packed engine load.

The folder gets `model.safetensors` (the weights dequantized to float32, as transformers itself
would read them), `decoder.onnx` (a graph with the packed weights as they are in the file, for
`engines/packed.py`), the configuration, the tokenizer and its chat template.

GGUF's layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; its block formats are
`block_q4_1` and `block_q8_0` in ggml-common.h of the same repository.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, ReaderTensor, TokenType
from gguf.quants import dequantize
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from bot.inference.engines import PACKED_GRAPH
from bot.inference.models.decoder_graph import GROUP, EightBits, FourBits, write_decoder

LINEAR_LAYERS = 7
"""Of one layer: q, k, v, output, gate, up and down."""

_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def convert_gguf(source: Path, folder: Path, progress: Callable[[float], None]) -> None:
    """Write the model in `source` to the existing, empty `folder`.

    Raises ValueError when the file holds something other than a Llama-family model with tied
    embeddings, layers in Q4_1 with an embedding in Q8_0, and a byte-level BPE tokenizer.
    """
    reader = GGUFReader(source)
    config = _config(reader)
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", {"eos_token_id": config["eos_token_id"]})
    _write_tokenizer(reader, folder)

    weights: dict[str, NDArray[Any]] = {}
    layers: dict[str, FourBits] = {}
    head: EightBits | None = None
    for index, tensor in enumerate(reader.tensors):
        name = _name(tensor.name)
        # Llama GGUFs keep the rows of q and k in the order of interleaved rotary embeddings.
        heads = {
            "q_proj": config["num_attention_heads"],
            "k_proj": config["num_key_value_heads"],
        }.get(name.rpartition(".")[2])
        weights[name] = _rows(dequantize(tensor.data, tensor.tensor_type), heads)
        if tensor.tensor_type == GGMLQuantizationType.Q4_1:
            layers[name] = FourBits(*(_rows(part, heads) for part in _q4_1(tensor)))
        elif tensor.tensor_type == GGMLQuantizationType.Q8_0 and name == "model.embed_tokens":
            head = _q8_0(tensor)
        progress((index + 1) / len(reader.tensors))
    if head is None or len(layers) != LINEAR_LAYERS * config["num_hidden_layers"]:
        raise ValueError("only Q4_1 layers with a Q8_0 embedding are converted")
    write_decoder(folder / PACKED_GRAPH, config, weights, layers, head)
    named = {f"{name}.weight": weight for name, weight in weights.items()}
    save_file(named, folder / "model.safetensors", {"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # save_file lets only its owner read


def _config(reader: GGUFReader) -> dict[str, Any]:
    architecture = _field(reader, "general.architecture")
    if architecture != "llama" or any(t.name == "output.weight" for t in reader.tensors):
        raise ValueError(
            f"only Llama models with tied embeddings are converted, not {architecture}"
        )
    hidden, heads = (
        _field(reader, "llama.embedding_length"),
        _field(reader, "llama.attention.head_count"),
    )
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float32",
        "vocab_size": _field(reader, "llama.vocab_size"),
        "hidden_size": hidden,
        "intermediate_size": _field(reader, "llama.feed_forward_length"),
        "num_hidden_layers": _field(reader, "llama.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": _field(reader, "llama.attention.head_count_kv"),
        "head_dim": hidden // heads,
        "hidden_act": "silu",
        "max_position_embeddings": _field(reader, "llama.context_length"),
        "rms_norm_eps": _field(reader, "llama.attention.layer_norm_rms_epsilon"),
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": _field(reader, "llama.rope.freq_base"),
        },
        "tie_word_embeddings": True,
        "bos_token_id": _field(reader, "tokenizer.ggml.bos_token_id"),
        "eos_token_id": _field(reader, "tokenizer.ggml.eos_token_id"),
        "pad_token_id": _field(reader, "tokenizer.ggml.padding_token_id"),
    }


def _write_tokenizer(reader: GGUFReader, folder: Path) -> None:
    """Build the tokenizer from the file's tokens and merges.

    transformers' own GGUF reader makes `<|im_start|>` SmolLM2's end-of-sequence token, so the
    tokenizer is put together here.
    """
    if (pre := _field(reader, "tokenizer.ggml.pre")) != "smollm":
        raise ValueError(f"only the pre-tokenizer smollm is converted, not {pre}")
    tokens = _field(reader, "tokenizer.ggml.tokens")
    merges = [tuple(merge.split(" ")) for merge in _field(reader, "tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    types = _field(reader, "tokenizer.ggml.token_type")
    control = [
        token for token, kind in zip(tokens, types, strict=True) if kind == TokenType.CONTROL
    ]
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in control])
    tokenizer.save(str(folder / "tokenizer.json"))

    special = {
        f"{name}_token": tokens[_field(reader, f"tokenizer.ggml.{key}_token_id")]
        for name, key in {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}.items()
    }
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": _field(reader, "llama.context_length"),
            "clean_up_tokenization_spaces": False,
            **special,
        },
    )
    template = _field(reader, "tokenizer.chat_template")
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")


def _q4_1(tensor: ReaderTensor) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The parts of FourBits. A block's 16 bytes have its first 16 codes in their low four bits, the
    other 16 in the high ones."""
    blocks = tensor.data.reshape(tensor.data.shape[0], -1, 4 + GROUP // 2)
    head = np.ascontiguousarray(blocks[..., :4]).view(np.float16)
    bytes_ = blocks[..., 4:]
    codes = np.concatenate((bytes_ & 15, bytes_ >> 4), axis=-1)
    return codes[..., 0::2] | codes[..., 1::2] << 4, head[..., 0], head[..., 1]


def _q8_0(tensor: ReaderTensor) -> EightBits:
    blocks = tensor.data.reshape(tensor.data.shape[0], -1, 2 + GROUP)
    scale = np.ascontiguousarray(blocks[..., :2]).view(np.float16)[..., 0]
    return EightBits(blocks[..., 2:] ^ 128, scale)  # int8, with its sign turned, is uint8 plus 128


def _rows(array: NDArray[Any], heads: int | None) -> NDArray[Any]:
    """`array` with each head's rows moved from interleaved to half-split rotary order."""
    if heads is not None:
        pairs = array.reshape(heads, array.shape[0] // heads // 2, 2, *array.shape[1:])
        array = pairs.swapaxes(1, 2).reshape(array.shape)
    return np.ascontiguousarray(array)


def _name(gguf_name: str) -> str:
    """`blk.3.attn_q.weight` → `model.layers.3.self_attn.q_proj`."""
    stem = gguf_name.removesuffix(".weight")
    if stem.startswith("blk."):
        _, layer, part = stem.split(".")
        return f"model.layers.{layer}.{_NAMES[part]}"
    return _NAMES[stem]


def _field(reader: GGUFReader, name: str) -> Any:
    field = reader.get_field(name)
    if field is None:
        raise ValueError(f"{name} is missing")
    return field.contents()


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
