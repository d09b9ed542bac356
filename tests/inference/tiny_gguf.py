"""A random SmolLM2-like GGUF of some kilobytes, and the Llama that it was made from."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from gguf.quants import dequantize, quantize
from tokenizers import pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TOKENS = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), "he", "ll", "hell", "12"]
TEMPLATE = "{% for message in messages %}{{ message['content'] }}<|im_end|>{% endfor %}"

LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(path: Path, architecture: str = "llama", context: int = 256) -> LlamaForCausalLM:
    """Write a quantized model to `path`; returns it with the weights that the file stands for."""
    vocabulary = -(-len(TOKENS) // 64) * 64
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=context,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
        tie_word_embeddings=True,
        initializer_range=0.2,
    )
    model = LlamaForCausalLM(config).eval()
    writer = GGUFWriter(path, architecture)
    _write_facts(writer, config)
    _write_tokenizer(writer, vocabulary)
    state = model.state_dict()
    for name, weight in state.items():
        if name != "lm_head.weight":
            state[name] = _write_tensor(writer, name, weight.numpy(), config)
    model.load_state_dict(state | {"lm_head.weight": state["model.embed_tokens.weight"]})
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def _write_facts(writer: GGUFWriter, config: LlamaConfig) -> None:
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])


def _write_tokenizer(writer: GGUFWriter, vocabulary: int) -> None:
    tokens = TOKENS + [f"<unused{i}>" for i in range(vocabulary - len(TOKENS))]
    control = {*SPECIAL, *tokens[len(TOKENS) :]}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [TokenType.CONTROL if t in control else TokenType.NORMAL for t in tokens]
    )
    writer.add_token_merges(["h e", "l l", "he ll", "1 2"])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_chat_template(TEMPLATE)


def _write_tensor(writer: GGUFWriter, name: str, weight: Any, config: LlamaConfig) -> torch.Tensor:
    parts = name.removesuffix(".weight").split(".", 3)
    heads = {
        "self_attn.q_proj": config.num_attention_heads,
        "self_attn.k_proj": config.num_key_value_heads,
    }.get(parts[-1])
    stem = {"embed_tokens": "token_embd", "norm": "output_norm"}.get(parts[1])
    stem = stem or f"blk.{parts[2]}.{LAYER_NAMES[parts[3]]}"
    if weight.ndim == 1:
        writer.add_tensor(f"{stem}.weight", weight)
        return torch.from_numpy(weight)
    kind = GGMLQuantizationType.Q8_0 if stem == "token_embd" else GGMLQuantizationType.Q4_1
    if heads:  # into llama.cpp's order: the halves of a head's rows interleaved
        weight = weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2)
        weight = np.ascontiguousarray(weight.reshape(-1, weight.shape[-1]))
    data = quantize(weight, kind)
    writer.add_tensor(f"{stem}.weight", data, raw_dtype=kind)
    weight = dequantize(data, kind)
    if heads:
        weight = weight.reshape(heads, -1, 2, weight.shape[1]).swapaxes(1, 2)
        weight = weight.reshape(-1, weight.shape[-1])
    return torch.from_numpy(np.ascontiguousarray(weight))
