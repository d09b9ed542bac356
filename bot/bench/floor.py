"""The least time that a card's memory allows a decode step."""

import time
from statistics import median

import torch
from transformers import GptOssConfig

REPEATS = 7


def step_bytes(config: GptOssConfig, batch: int, context: int, weights: str = "exact") -> float:
    """The bytes that one decode step must read, with experts chosen uniformly.

    Weights, "exact" or "int8", once, of the experts those that are chosen by any sequence; keys and
    values of each sequence, in sliding layers those in the window.
    """
    size, inner, head = config.hidden_size, config.intermediate_size, config.head_dim
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    experts, top = config.num_local_experts, config.num_experts_per_tok
    each = 1 + 2 / 32 if weights == "int8" else 2  # bytes of a weight with its share of a scale
    attention = each * size * head * (2 * heads + 2 * kv_heads)
    expert = 3 * size * inner * (4 + 8 / 32) / 8 + 2 * (2 * inner + size)
    chosen = experts * (1 - (1 - top / experts) ** batch)
    total: float = each * config.vocab_size * size
    for kind in config.layer_types:
        seen = context if kind == "full_attention" else min(context, config.sliding_window)
        cache = batch * seen * 2 * 2 * kv_heads * head
        total += attention + 2 * size * experts + chosen * expert + cache
    return total


def bandwidth(device: torch.device) -> float:
    """Bytes a second, read and written, of copying 4 GB, or what the card has room for."""
    free, _ = torch.cuda.mem_get_info(device)
    source = torch.empty(min(2**32, free // 3), dtype=torch.uint8, device=device).random_()
    target = torch.empty_like(source)
    times = []
    for _ in range(REPEATS):
        torch.cuda.synchronize(device)
        started = time.perf_counter()
        target.copy_(source)
        torch.cuda.synchronize(device)
        times.append(time.perf_counter() - started)
    return 2 * source.numel() / median(times)
