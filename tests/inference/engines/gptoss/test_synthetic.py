"""A random checkpoint is laid out as the real one."""

from pathlib import Path

import torch
from transformers import GptOssConfig, GptOssForCausalLM

from bot.inference.engines.gptoss.synthetic import write_checkpoint


def test_transformers_reads_a_random_checkpoint(tmp_path: Path) -> None:
    config = GptOssConfig(
        num_hidden_layers=2,
        num_local_experts=4,
        hidden_size=64,
        intermediate_size=64,
        head_dim=32,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=100,
    )
    model, loading = GptOssForCausalLM.from_pretrained(
        write_checkpoint(tmp_path, config), dtype="auto", output_loading_info=True
    )
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    logits = model(torch.arange(5)[None]).logits
    assert logits.isfinite().all()
